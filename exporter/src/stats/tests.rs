//! The account as it is kept, printed and written.

use super::{Account, Cause, Outcome, Tally, Unit};

#[test]
fn what_is_not_settled_is_pending_and_said_so() {
    let account = Account::default();
    account.seen(Unit::Http, 10);
    account.settle(Unit::Http, Outcome::Exported, 4);
    account.settle(Unit::Http, Outcome::Filtered, 2);
    account.settle(Unit::Http, Outcome::Sampled, 1);
    account.settle(Unit::Http, Outcome::Lost(Cause::QueueFull), 1);
    assert_eq!(account.row(Unit::Http).pending(), 2);
    assert!(account.to_string().contains("NOT CLOSED: 2"));
    account.settle(Unit::Http, Outcome::Lost(Cause::Shutdown), 2);
    assert_eq!(account.row(Unit::Http).pending(), 0);
    assert_eq!(account.row(Unit::Http).lost(), 3);
    assert!(!account.to_string().contains("NOT CLOSED"));
}

#[test]
fn more_settled_than_seen_is_no_closed_account() {
    let account = Account::default();
    account.settle(Unit::Spans, Outcome::Exported, 1);
    assert_eq!(account.row(Unit::Spans).pending(), -1);
    assert!(account.to_string().contains("NOT CLOSED: -1"));
}

#[test]
fn every_cause_has_a_name_and_a_count_of_its_own() {
    let account = Account::default();
    for (place, cause) in (1..).zip(Cause::ALL) {
        account.settle(Unit::Segments, Outcome::Lost(cause), place);
    }
    for (place, cause) in (1..).zip(Cause::ALL) {
        assert_eq!(account.row(Unit::Segments).count(Outcome::Lost(cause)), place);
    }
    let names: std::collections::BTreeSet<_> = Cause::ALL.map(Cause::as_str).into();
    assert_eq!(names.len(), Cause::ALL.len());
}

#[test]
fn the_account_is_written_by_unit_and_cause() {
    let account = Account::default();
    account.seen(Unit::Http, 3);
    account.settle_all(Tally { http: 1, spans: 2, ..Tally::default() }, Outcome::Exported);
    account.settle(Unit::Http, Outcome::Lost(Cause::RingbufFull), 2);
    let written = serde_json::to_value(&account).expect("it is plain numbers");
    assert_eq!(
        written["http"],
        serde_json::json!({
            "seen": 3, "exported": 1, "filtered": 0, "sampled": 0, "lost": {"ringbuf_full": 2}
        })
    );
    assert_eq!(written["spans"]["exported"], 2);
    for (name, _) in account.rows() {
        assert!(written.get(name).is_some(), "{name}");
    }
}
