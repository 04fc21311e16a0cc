//! The fields that expressions may use: their kinds, which plans have them where, and what they are worth.

use std::net::IpAddr;

use super::request::Visit;
use crate::plan::Plan::{self, Business, Enterprise, Free, Pro};

/// What sort of value a field or a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Address,
    Truth,
}

/// A value of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Vec<u8>),
    Number(i64),
    Address(IpAddr),
    Truth(bool),
}

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The smallest plan that has it in custom rules.
    pub(crate) custom: Plan,
    /// The smallest plan that has it in rate limiting rules.
    pub(crate) rate: Plan,
    pub(crate) value: fn(&Visit) -> Value,
}

const fn field(
    name: &'static str,
    kind: Kind,
    custom: Plan,
    rate: Plan,
    value: fn(&Visit) -> Value,
) -> Field {
    Field { name, kind, custom, rate, value }
}

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

fn full_uri(visit: &Visit) -> Value {
    let scheme = if visit.tls { "https" } else { "http" };
    text(&format!("{scheme}://{}{}", visit.host, visit.uri()))
}

/// All that are known here. The real list is longer; what isn't in this one is refused, so that nothing is believed
/// to match that was never evaluated.
const FIELDS: &[Field] = &[
    field("http.request.uri.path", Kind::Text, Free, Free, |visit| text(&visit.path)),
    field("cf.client.bot", Kind::Truth, Free, Free, |visit| Value::Truth(visit.verified_bot)),
    field("http.host", Kind::Text, Free, Pro, |visit| text(&visit.host)),
    field("http.request.uri", Kind::Text, Free, Pro, |visit| text(&visit.uri())),
    field("http.request.full_uri", Kind::Text, Free, Pro, full_uri),
    field("http.request.uri.query", Kind::Text, Free, Pro, |visit| text(&visit.query)),
    field("http.request.method", Kind::Text, Free, Business, |visit| text(&visit.method)),
    field("ip.src", Kind::Address, Free, Business, |visit| Value::Address(visit.ip)),
    field("http.user_agent", Kind::Text, Free, Business, |visit| text(&visit.user_agent)),
    field("http.referer", Kind::Text, Free, Enterprise, |visit| text(&visit.referer)),
    field("http.cookie", Kind::Text, Free, Enterprise, |visit| text(&visit.cookie)),
    field("http.x_forwarded_for", Kind::Text, Free, Enterprise, |visit| text(&visit.forwarded_for)),
    field("ip.src.country", Kind::Text, Free, Enterprise, |visit| text(&visit.country)),
    field("ip.src.asnum", Kind::Number, Free, Enterprise, |visit| Value::Number(visit.asn)),
    field("ssl", Kind::Truth, Free, Enterprise, |visit| Value::Truth(visit.tls)),
    // Always zero, since the service says so.
    field("cf.threat_score", Kind::Number, Free, Enterprise, |_| Value::Number(0)),
    field("cf.bot_management.verified_bot", Kind::Truth, Enterprise, Enterprise, |visit| {
        Value::Truth(visit.verified_bot)
    }),
];

/// The field with this name.
pub(crate) fn field_named(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}
