//! The loss account as headertap writes it to `--account-path`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// How many were seen.
    pub seen: u64,
    /// Of these, exported.
    pub exported: u64,
    /// Of these, kept back by policy.
    pub filtered: u64,
    /// Of these, kept back by sampling.
    pub sampled: u64,
    /// Of these, lost, by cause.
    pub lost: BTreeMap<String, u64>,
}

/// Every row by its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Account(BTreeMap<String, Row>);

impl Account {
    /// Reads the file.
    ///
    /// # Panics
    /// If it is not there or not an account.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let json = fs::read(path)
            .unwrap_or_else(|error| panic!("no account at {}: {error}", path.display()));
        serde_json::from_slice(&json).expect("the account is JSON of this form")
    }

    /// A row by its name.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn row(&self, name: &str) -> &Row {
        self.0.get(name).unwrap_or_else(|| panic!("the account has no row {name}: {self:?}"))
    }

    /// Fails unless seen = exported + filtered + sampled + lost in every row.
    ///
    /// # Panics
    /// If a row does not close.
    pub fn assert_closed(&self) {
        for (name, row) in &self.0 {
            let settled =
                row.exported + row.filtered + row.sampled + row.lost.values().sum::<u64>();
            assert_eq!(row.seen, settled, "the row {name} does not close: {row:?}");
        }
    }

    /// Fails unless the account is closed and nothing at all was lost.
    ///
    /// # Panics
    /// If a row does not close, or something was lost.
    pub fn assert_lossless(&self) {
        self.assert_closed();
        for (name, row) in &self.0 {
            assert!(row.lost.is_empty(), "{name} were lost: {row:?}");
        }
    }
}
