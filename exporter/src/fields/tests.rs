//! Field lines against a plain list of them.

use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::Fields;

proptest! {
    #[test]
    fn lines_come_out_as_they_went_in(
        lines in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..40)),
            0..30
        ),
        folds in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut model: Vec<(Vec<u8>, Vec<u8>)> = lines;
        let mut fields: Fields = model.iter().cloned().collect();
        fields.extend_last(&folds);
        if let Some((_, value)) = model.last_mut() {
            value.extend_from_slice(&folds);
        }
        let bytes: usize = model.iter().map(|(name, value)| name.len() + value.len()).sum();
        prop_assert_eq!((fields.len(), fields.byte_len()), (model.len(), bytes));
        prop_assert_eq!(fields.is_empty(), model.is_empty());
        let same = fields.iter().eq(model.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        prop_assert!(same);
    }
}

#[test]
fn a_name_is_found_whatever_its_case_and_every_time() {
    let fields: Fields = [("Via", "a"), ("host", "h"), ("VIA", "b")].into_iter().collect();
    assert_eq!(fields.all("via").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(fields.first("HOST"), Some(&b"h"[..]));
    assert_eq!(fields.first("ho"), None);
}
