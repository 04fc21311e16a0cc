//! What one line of the audit log says, before it has a place in the chain.
//!
//! A record holds text, integers, booleans, null, lists and objects of those. Floats have no single
//! canonical text, so there is no way to put one in. A record knows neither its sequence number nor its
//! hashes: sealing adds them, and only the chain seals.

use serde_json::{Map, Value};

/// The members that sealing writes; a record can't carry them itself.
pub const SEALED_FIELDS: [&str; 3] = ["prev_hash", "record_hash", "seq"];

/// The event fields of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    fields: Map<String, Value>,
}

impl Record {
    /// A record of `event` at `ts` (seconds since the epoch).
    pub fn new(ts: u64, event: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("event".to_owned(), Value::from(event));
        fields.insert("ts".to_owned(), Value::from(ts));
        Self { fields }
    }

    /// The record with one more field. A second value for the same name takes the first one's place; the
    /// fields that sealing writes would be overwritten by it, so naming them is a bug.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Field>) -> Self {
        debug_assert!(!SEALED_FIELDS.contains(&name), "`{name}` is written by sealing");
        self.fields.insert(name.to_owned(), value.into().0);
        self
    }

    /// The fields, in no particular order.
    pub const fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(super) fn into_fields(self) -> Map<String, Value> {
        self.fields
    }
}

/// A value that a record may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field(Value);

impl Field {
    /// An object.
    pub fn object<K: Into<String>, V: Into<Self>>(members: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Value::Object(members.into_iter().map(|(key, value)| (key.into(), value.into().0)).collect()))
    }

    /// Any JSON value, unless there is a float anywhere in it.
    pub fn from_json(value: Value) -> Option<Self> {
        fn exact(value: &Value) -> bool {
            match value {
                Value::Number(number) => number.is_u64() || number.is_i64(),
                Value::Array(elements) => elements.iter().all(exact),
                Value::Object(members) => members.values().all(exact),
                Value::Null | Value::Bool(_) | Value::String(_) => true,
            }
        }
        exact(&value).then_some(Self(value))
    }
}

macro_rules! field_from {
    ($($source:ty),+) => {
        $(impl From<$source> for Field {
            fn from(value: $source) -> Self {
                Self(Value::from(value))
            }
        })+
    };
}

field_from!(&str, String, bool, u8, u16, u32, u64, i8, i16, i32, i64, usize);

impl From<&String> for Field {
    fn from(value: &String) -> Self {
        Self(Value::from(value.as_str()))
    }
}

impl<T: Into<Self>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Value::Null), Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Field {
    fn from(values: Vec<T>) -> Self {
        Self(values.into_iter().map(|value| value.into().0).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_holds_what_it_was_given() {
        let record = Record::new(7, "rejected")
            .with("reason", "stale")
            .with("user", -5_i64)
            .with("otp", None::<bool>)
            .with("names", vec!["a", "b"])
            .with("unit", Field::object([("before", 1_u8), ("after", 2)]));
        assert_eq!(
            Value::Object(record.fields().clone()),
            json!({"event": "rejected", "ts": 7, "reason": "stale", "user": -5, "otp": null,
                   "names": ["a", "b"], "unit": {"before": 1, "after": 2}})
        );
    }

    #[test]
    fn floats_are_refused_at_any_depth() {
        assert!(Field::from_json(json!({"a": [1, -1, u64::MAX]})).is_some());
        assert!(Field::from_json(json!(1.0)).is_none());
        assert!(Field::from_json(json!({"a": [1, {"b": 0.5}]})).is_none());
    }
}
