//! What the fields of a request are called in JSON (opentelemetry-proto, collector/logs/v1 and
//! collector/trace/v1): those that `logs`, `spans` and `request` write.

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A message.
    Message(Message),
    /// `string`.
    Text,
    /// The bytes of a trace or span id.
    Id,
    /// `bool`.
    Bool,
    /// `uint32`, or an enum.
    Number,
    /// `int64`.
    Int64,
    /// `fixed32`.
    Fixed32,
    /// `fixed64`.
    Fixed64,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

/// A message's fields.
pub(super) type Message = &'static [Field];

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, message: Message) -> Field {
    Field { number, name, kind: Kind::Message(message), repeated: true }
}

pub(super) const LOGS_REQUEST: Message = &[many(
    1,
    "resourceLogs",
    &[
        one(1, "resource", Kind::Message(RESOURCE)),
        many(
            2,
            "scopeLogs",
            &[
                one(1, "scope", Kind::Message(SCOPE)),
                many(2, "logRecords", LOG_RECORD),
                one(3, "schemaUrl", Kind::Text),
            ],
        ),
        one(3, "schemaUrl", Kind::Text),
    ],
)];

pub(super) const TRACES_REQUEST: Message = &[many(
    1,
    "resourceSpans",
    &[
        one(1, "resource", Kind::Message(RESOURCE)),
        many(
            2,
            "scopeSpans",
            &[
                one(1, "scope", Kind::Message(SCOPE)),
                many(2, "spans", SPAN),
                one(3, "schemaUrl", Kind::Text),
            ],
        ),
        one(3, "schemaUrl", Kind::Text),
    ],
)];

const RESOURCE: Message = &[many(1, "attributes", KEY_VALUE)];
const SCOPE: Message = &[one(1, "name", Kind::Text), one(2, "version", Kind::Text)];

const LOG_RECORD: Message = &[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "severityNumber", Kind::Number),
    one(5, "body", Kind::Message(ANY_VALUE)),
    many(6, "attributes", KEY_VALUE),
    one(7, "droppedAttributesCount", Kind::Number),
    one(8, "flags", Kind::Fixed32),
    one(9, "traceId", Kind::Id),
    one(10, "spanId", Kind::Id),
    one(11, "observedTimeUnixNano", Kind::Fixed64),
    one(12, "eventName", Kind::Text),
];

const SPAN: Message = &[
    one(1, "traceId", Kind::Id),
    one(2, "spanId", Kind::Id),
    one(3, "traceState", Kind::Text),
    one(4, "parentSpanId", Kind::Id),
    one(5, "name", Kind::Text),
    one(6, "kind", Kind::Number),
    one(7, "startTimeUnixNano", Kind::Fixed64),
    one(8, "endTimeUnixNano", Kind::Fixed64),
    many(9, "attributes", KEY_VALUE),
    one(10, "droppedAttributesCount", Kind::Number),
    many(13, "links", LINK),
    one(15, "status", Kind::Message(STATUS)),
    one(16, "flags", Kind::Fixed32),
];

const LINK: Message = &[one(1, "traceId", Kind::Id), one(2, "spanId", Kind::Id)];
const STATUS: Message = &[one(2, "message", Kind::Text), one(3, "code", Kind::Number)];

const KEY_VALUE: Message = &[one(1, "key", Kind::Text), one(2, "value", Kind::Message(ANY_VALUE))];

/// Values are no deeper than an array of scalars.
const ANY_VALUE: Message = &[
    one(1, "stringValue", Kind::Text),
    one(2, "boolValue", Kind::Bool),
    one(3, "intValue", Kind::Int64),
    one(5, "arrayValue", Kind::Message(&[many(1, "values", SCALAR)])),
];
const SCALAR: Message = &[
    one(1, "stringValue", Kind::Text),
    one(2, "boolValue", Kind::Bool),
    one(3, "intValue", Kind::Int64),
];
