//! What `opentelemetry-proto` reads out of a record: the other opinion that the tests compare with.

use std::collections::HashSet;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::attributes::table::{self, Type};
use super::{Record, Signal};

pub(super) fn log(record: &Record) -> LogRecord {
    assert_eq!(record.signal, Signal::Logs);
    LogRecord::decode(record.bytes.as_slice()).expect("a log record decodes")
}

pub(super) fn span(record: &Record) -> Span {
    assert_eq!(record.signal, Signal::Traces);
    Span::decode(record.bytes.as_slice()).expect("a span decodes")
}

pub(super) fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

pub(super) fn texts(values: &[&str]) -> Any {
    let values = values.iter().map(|value| AnyValue { value: Some(text(value)) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

pub(super) fn pairs(attributes: Vec<KeyValue>) -> Vec<(String, Any)> {
    let value = |kv: &KeyValue| kv.value.clone().and_then(|any| any.value);
    attributes.iter().map(|kv| (kv.key.clone(), value(kv).expect("a value"))).collect()
}

pub(super) fn get(attributes: &[KeyValue], key: &str) -> Option<Any> {
    attributes.iter().find(|kv| kv.key == key)?.value.clone()?.value
}

/// Checks that every attribute is in the table with its type, and that no key is there twice.
pub(super) fn in_table(attributes: &[KeyValue]) {
    let mut keys = HashSet::new();
    for kv in attributes {
        assert!(keys.insert(&kv.key), "{} is there twice", kv.key);
        let entry = table::RECORD
            .iter()
            .find(|(name, _)| kv.key == *name || (name.ends_with('.') && kv.key.starts_with(name)));
        let Some((_, expected)) = entry else { panic!("{} is not in the table", kv.key) };
        let value = kv.value.as_ref().and_then(|any| any.value.as_ref());
        let is_right = match value {
            Some(Any::StringValue(_)) => *expected == Type::Str,
            Some(Any::IntValue(_)) => *expected == Type::Int,
            Some(Any::BoolValue(_)) => *expected == Type::Bool,
            Some(Any::ArrayValue(array)) => array.values.iter().all(|item| match item.value {
                Some(Any::StringValue(_)) => *expected == Type::Strs,
                Some(Any::IntValue(_)) => *expected == Type::Ints,
                _ => false,
            }),
            _ => false,
        };
        assert!(is_right, "{} is {value:?}", kv.key);
    }
}
