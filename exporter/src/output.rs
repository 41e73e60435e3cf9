//! Where records go: to a collector, or as text or OTLP JSON lines to a file.
//!
//! Joins `export` and `deliver` for each of the three; policy has run on everything that comes in.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::config::{self, Config};
use crate::deliver::file::{Lines, Target};
use crate::deliver::{Delivery, Limits, Settings, WhenFull, endpoint::Endpoints};
use crate::export::text::Text;
use crate::export::{Encoder, Item, Record};
use crate::host::Host;
use crate::stats::{Account, Outcome, Unit};

mod json_lines;

use json_lines::JsonLines;

/// A running output.
#[derive(Debug)]
pub enum Output {
    /// To a collector.
    Otlp {
        /// Makes records.
        encoder: Encoder,
        /// Sends them.
        delivery: Delivery,
        /// Records of the account.
        account: Arc<Account>,
    },
    /// Lines for people.
    Text {
        /// How they look.
        text: Text,
        /// Where they go.
        lines: Lines,
        /// Opened and closed connections are not told.
        account: Arc<Account>,
    },
    /// OTLP JSON lines.
    OtlpJson {
        /// Makes records.
        encoder: Encoder,
        /// Writes them.
        lines: JsonLines,
        /// Records of the account.
        account: Arc<Account>,
    },
}

impl Output {
    /// Starts the output that `config` asks for; what it tells is of `host`; `endpoints` are there if it is OTLP. If producers
    /// wait when it is full, it may not be used by a task.
    ///
    /// # Errors
    /// If a file cannot be opened or a certificate cannot be read.
    pub fn start(
        config: &Config,
        form: config::Output,
        host: &Host,
        endpoints: Option<&Endpoints>,
        when_full: WhenFull,
        account: &Arc<Account>,
        runtime: &Runtime,
    ) -> Result<Self> {
        let encoder = Encoder::new(host);
        let account = Arc::clone(account);
        if let Some(endpoints) = endpoints {
            let limits = Limits { queue_bytes: config.queue_bytes, ..Limits::default() };
            let settings = Settings { endpoints: endpoints.clone(), limits, when_full };
            let delivery = Delivery::start(&settings, &account, runtime.handle())?;
            return Ok(Self::Otlp { encoder, delivery, account });
        }
        let target = config.output_path.clone().map_or(Target::Stdout, Target::File);
        let colour = target == Target::Stdout && io::stdout().is_terminal();
        let lines = Lines::start(&target, when_full.clone(), Arc::clone(&account))?;
        Ok(match form {
            config::Output::OtlpJson => {
                let lines = JsonLines::start(lines, when_full, Arc::clone(&account));
                Self::OtlpJson { encoder, lines, account }
            }
            config::Output::Text | config::Output::Otlp => {
                Self::Text { text: Text { headers: true, colour }, lines, account }
            }
        })
    }

    /// Takes what may leave.
    pub fn give(&mut self, item: Item<'_>) {
        match self {
            Self::Otlp { encoder, delivery, account } => encoder.encode(item, |record| {
                count(account, &record);
                delivery.push(record);
            }),
            Self::OtlpJson { encoder, lines, account } => encoder.encode(item, |record| {
                count(account, &record);
                lines.push(record);
            }),
            Self::Text { text, lines, account } => match text.lines(item) {
                Some(told) => lines.push(told.as_bytes(), item.tally()),
                None => account.settle_all(item.tally(), Outcome::Filtered),
            },
        }
    }

    /// Nothing more comes for the moment: writes what waits.
    pub fn flush(&mut self) {
        if let Self::OtlpJson { lines, .. } = self {
            lines.flush();
        }
    }

    /// Sends or writes what is left, for at most `deadline`; counts the rest as lost.
    pub fn drain(self, deadline: Duration, runtime: &Runtime) {
        match self {
            Self::Otlp { delivery, .. } => runtime.block_on(delivery.drain(deadline)),
            Self::Text { lines, .. } => lines.drain(deadline),
            Self::OtlpJson { lines, .. } => lines.drain(deadline),
        }
    }
}

fn count(account: &Account, record: &Record) {
    account.seen(Unit::LogRecords, record.tally.log_records);
    account.seen(Unit::Spans, record.tally.spans);
}
