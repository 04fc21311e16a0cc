//! Any JSON document in, canonical JSON out: keys sorted, no white space, integers only, no key twice.
//!
//! In Python: `json.dumps(x, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`. What agents and
//! envelopes speak is read by secmon-wire; this is for documents that people write or others made.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses an object in which no key occurs twice and every number is an integer.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::from_slice::<Strict>(bytes)?.0 {
        Value::Object(object) => Ok(object),
        _ => Err(de::Error::custom("expected an object")),
    }
}

/// The canonical form.
pub(super) fn canonical(object: &Map<String, Value>) -> Vec<u8> {
    let mut value = Value::Object(object.clone());
    // Sorted already, unless another crate of the build asked serde_json to keep the order of insertion.
    value.sort_all_objects();
    value.to_string().into_bytes()
}

/// A value that passed the checks.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(de::Error::custom("a key occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_what_python_writes() {
        let text = "{\"b\": [1, -2, true, null], \"a\": {\"z\": \"ä\\u00e4\\/\\u0001\\u007f\\n\\\"\", \"Z\": {}}, \"\u{1f600}\": 0, \"\u{ffff}\": 1}";
        let canonical = canonical(&parse(text.as_bytes()).expect("an object"));
        let python = "{\"a\":{\"Z\":{},\"z\":\"ää/\\u0001\u{7f}\\n\\\"\"},\"b\":[1,-2,true,null],\"\u{ffff}\":1,\"\u{1f600}\":0}";
        assert_eq!(String::from_utf8(canonical).expect("text"), python);
    }

    #[test]
    fn what_has_no_canonical_form_is_refused() {
        for refused in [
            "{\"a\":1.0}",
            "{\"a\":1e3}",
            "{\"a\":1,\"a\":1}",
            "{\"x\":{\"a\":1,\"a\":1}}",
            "[]",
            "1",
            "{",
            "",
            "{} x",
            "{\"a\":18446744073709551616}",
            "{\"a\":\"\\ud800\"}",
        ] {
            assert!(parse(refused.as_bytes()).is_err(), "{refused}");
        }
    }
}
