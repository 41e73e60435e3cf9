//! Records in, the body of an `ExportLogsServiceRequest` or `ExportTraceServiceRequest` out.
//!
//! The two messages, and what they hold down to the records, have the same field numbers, so one
//! writer serves both. Records are grouped by Resource; groups and the records in a group keep the
//! order in which they came.

use rustc_hash::FxHashMap;

use super::protobuf::{field_size, put_bytes, put_len};
use super::{Record, SCHEMA_URL, SCOPE_NAME, SCOPE_VERSION, Signal};

/// `resource_logs`, `resource_spans` of the request.
const RESOURCE_GROUPS: u32 = 1;
/// Fields of `ResourceLogs`, `ResourceSpans`.
const RESOURCE: u32 = 1;
const SCOPE_GROUPS: u32 = 2;
/// Fields of `ScopeLogs`, `ScopeSpans`.
const SCOPE: u32 = 1;
const RECORDS: u32 = 2;
/// Of both the resource's and the scope's group.
const SCHEMA: u32 = 3;
/// Fields of `InstrumentationScope`.
const NAME: u32 = 1;
const VERSION: u32 = 2;

/// Encodes the request that holds `records`, all of them of `signal`.
#[must_use]
pub fn assemble(signal: Signal, records: &[Record]) -> Vec<u8> {
    debug_assert!(records.iter().all(|record| record.signal == signal));
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    let mut group_of: FxHashMap<&[u8], usize> = FxHashMap::default();
    for record in records {
        let group = *group_of.entry(&record.resource).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(members) => members.push(record),
            None => groups.push(vec![record]),
        }
    }
    let mut out = Vec::with_capacity(groups.iter().map(|group| whole_group_size(group)).sum());
    for group in &groups {
        put_group(&mut out, group);
    }
    out
}

fn put_group(out: &mut Vec<u8>, group: &[&Record]) {
    let Some(first) = group.first() else { return };
    let records = records_size(group);
    put_len(out, RESOURCE_GROUPS, resource_group_len(&first.resource, records));
    put_bytes(out, RESOURCE, &first.resource);
    put_len(out, SCOPE_GROUPS, scope_group_len(records));
    put_len(out, SCOPE, scope_len());
    put_bytes(out, NAME, SCOPE_NAME.as_bytes());
    put_bytes(out, VERSION, SCOPE_VERSION.as_bytes());
    for record in group {
        put_bytes(out, RECORDS, &record.bytes);
    }
    put_bytes(out, SCHEMA, SCHEMA_URL.as_bytes());
    put_bytes(out, SCHEMA, SCHEMA_URL.as_bytes());
}

fn records_size(group: &[&Record]) -> usize {
    group.iter().map(|record| field_size(record.bytes.len())).sum()
}

fn whole_group_size(group: &[&Record]) -> usize {
    group.first().map_or(0, |first| group_size(&first.resource, records_size(group)))
}

/// Bytes of a resource's group with its tag and length; `records`: bytes of its record fields.
fn group_size(resource: &[u8], records: usize) -> usize {
    field_size(resource_group_len(resource, records))
}

fn resource_group_len(resource: &[u8], records: usize) -> usize {
    field_size(resource.len()) + field_size(scope_group_len(records)) + field_size(SCHEMA_URL.len())
}

fn scope_group_len(records: usize) -> usize {
    field_size(scope_len()) + records + field_size(SCHEMA_URL.len())
}

fn scope_len() -> usize {
    field_size(SCOPE_NAME.len()) + field_size(SCOPE_VERSION.len())
}

#[cfg(test)]
mod tests;
