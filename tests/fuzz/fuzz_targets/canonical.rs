//! Canonical JSON: taken is exactly what a second reader and writer of JSON takes and writes back, within our limits.
#![no_main]

use secmon_wire::canonical::{Object, Writer};
use secmon_wire::limits::{DEPTH_MAX, INTEGER_MAX, MANIFEST_MAX};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let ours = Object::parse(bytes, MANIFEST_MAX);
    let theirs = canonical(bytes);
    assert_eq!(ours.is_ok(), theirs.is_some(), "{ours:?}");
    let Some(value) = theirs else { return };
    let mut out = [0; MANIFEST_MAX];
    let mut w = Writer::new(&mut out);
    write(&mut w, &value);
    assert_eq!(w.finish(), Ok(bytes));
});

/// The object that `bytes` are, if they are canonical by serde_json's reading.
fn canonical(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let again = serde_json::to_vec(&value).ok()?;
    let fits = bytes.len() <= MANIFEST_MAX && value.is_object() && within_limits(&value, 0);
    (fits && again == bytes).then_some(value)
}

fn within_limits(value: &Value, depth: usize) -> bool {
    let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    match value {
        Value::Object(members) => {
            depth < DEPTH_MAX
                && members.iter().all(|(key, value)| {
                    !key.is_empty() && key.bytes().all(known) && within_limits(value, depth + 1)
                })
        }
        Value::Array(elements) => {
            depth < DEPTH_MAX && elements.iter().all(|value| within_limits(value, depth + 1))
        }
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::unsigned_abs))
            .is_some_and(|magnitude| magnitude <= INTEGER_MAX),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn write(w: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Object(members) => {
            w.open(b'{');
            members.iter().for_each(|(key, value)| {
                w.key(key);
                write(w, value);
            });
            w.close(b'}');
        }
        Value::Array(elements) => {
            w.open(b'[');
            elements.iter().for_each(|value| write(w, value));
            w.close(b']');
        }
        Value::String(text) => w.text(text),
        other => w.raw(other.to_string().as_bytes()),
    }
}
