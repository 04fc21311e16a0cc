use std::string::String;

use proptest::prelude::*;

use super::*;
use crate::limits::INTEGER_MAX;

const LIMIT: usize = 4096;

fn refusal(text: &str) -> WireError {
    Object::parse(text.as_bytes(), LIMIT).expect_err(text)
}

#[test]
fn canonical_objects_are_read() {
    for text in [
        "{}",
        r#"{"a":1}"#,
        r#"{"a":[],"b":{},"c":null,"d":true,"e":false}"#,
        r#"{"a":"é\n\u001f\"\\ /"}"#,
        r#"{"a":-1,"b":9007199254740991}"#,
        r#"{"a":{"b":{"c":[1]}}}"#,
    ] {
        assert!(Object::parse(text.as_bytes(), LIMIT).is_ok(), "{text}");
    }
}

#[test]
fn each_fault_has_its_own_error() {
    let code = |text: &str| refusal(text).code();
    for text in
        ["", "[]", "1", "{", "{}}", "{} x", r#"{"a":01}"#, r#"{"a":}"#, "{\"a\":\"\n\"}", r#"{"a":tru}"#]
    {
        assert!(["not-json", "not-canonical"].contains(&code(text)), "{text}");
    }
    assert_eq!(code("[]"), "not-json");
    assert_eq!(code(r#"{"a":01}"#), "not-json");
    for text in [
        " {}",
        "{} ",
        "{}\n",
        r#"{ "a":1}"#,
        r#"{"a": 1}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"a":-0}"#,
        r#"{"a":"\/"}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\u000a"}"#,
        r#"{"a":"\u001F"}"#,
        r#"{"a":"\ud800"}"#,
    ] {
        assert_eq!(code(text), "not-canonical", "{text}");
    }
    assert_eq!(code(r#"{"a":1,"a":2}"#), "duplicate-field");
    assert_eq!(code(r#"{"a":1,"b":{"x":[{"y":2}]},"c":3,"a":2}"#), "duplicate-field");
    assert_eq!(code(r#"{"x":{"a":1,"b":1,"a":1}}"#), "duplicate-field");
    assert_eq!(code(r#"{"a":1,"x":{"b":1,"a":1}}"#), "not-canonical");
    for text in [r#"{"a":1.0}"#, r#"{"a":1e3}"#, r#"{"a":-1E3}"#] {
        assert_eq!(code(text), "float", "{text}");
    }
    assert_eq!(code(r#"{"a":9007199254740992}"#), "integer-range");
    assert_eq!(code(r#"{"a":99999999999999999999999999}"#), "integer-range");
    assert_eq!(code(r#"{"a":[[[[1]]]]}"#), "too-deep");
    assert_eq!(code(r#"{"A":1}"#), "unknown-field");
    assert_eq!(Object::parse(b"{\"a\":\"\xff\"}", LIMIT).expect_err("not UTF-8"), WireError::NotUtf8);
    assert_eq!(Object::parse(b"{\"a\":1}", 6).expect_err("too long"), WireError::TooLong { limit: 6 });
}

#[test]
fn the_field_set_is_exact() {
    let fields = |text: &str| {
        Object::parse(text.as_bytes(), LIMIT).expect(text).exact(["b", "d"]).map(|values| values.len())
    };
    assert_eq!(fields(r#"{"b":1,"d":2}"#), Ok(2));
    assert_eq!(fields(r#"{"d":2}"#), Err(WireError::MissingField("b")));
    assert_eq!(fields(r#"{"b":1}"#), Err(WireError::MissingField("d")));
    assert_eq!(fields("{}"), Err(WireError::MissingField("b")));
    for text in [r#"{"a":0,"b":1,"d":2}"#, r#"{"b":1,"c":0,"d":2}"#, r#"{"b":1,"d":2,"e":0}"#] {
        assert_eq!(fields(text), Err(WireError::UnknownField), "{text}");
    }
}

#[test]
fn a_writer_without_room_says_so() {
    let mut out = [0; 8];
    let mut w = Writer::new(&mut out);
    w.open(b'{');
    w.key("a");
    w.text("longer");
    w.close(b'}');
    assert_eq!(w.finish(), Err(WireError::NoSpace));
}

fn canonical_of(value: &serde_json::Value) -> Vec<u8> {
    let mut out = vec![0; 65_536];
    let mut w = Writer::new(&mut out);
    write(&mut w, value);
    w.finish().expect("room").to_vec()
}

fn write(w: &mut Writer<'_>, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            w.open(b'{');
            for (key, value) in members {
                w.key(key);
                write(w, value);
            }
            w.close(b'}');
        }
        serde_json::Value::Array(elements) => {
            w.open(b'[');
            elements.iter().for_each(|element| write(w, element));
            w.close(b']');
        }
        serde_json::Value::String(text) => w.text(text),
        serde_json::Value::Number(number) => match number.as_u64() {
            Some(number) => w.unsigned(number),
            None => w.signed_or_null(number.as_i64().and_then(|n| i32::try_from(n).ok())),
        },
        other => w.raw(other.to_string().as_bytes()),
    }
}

fn object() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        (0..=INTEGER_MAX).prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let value = leaf.prop_recursive(2, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z0-9_]{1,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-z0-9_]{1,6}", value, 0..6)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

proptest! {
    /// serde_json's compact form with sorted keys is the same encoding for this subset, written by others.
    #[test]
    fn what_is_written_is_what_an_independent_writer_writes(value in object()) {
        let ours = canonical_of(&value);
        prop_assert_eq!(String::from_utf8_lossy(&ours), value.to_string());
        prop_assert!(Object::parse(&ours, 65_536).is_ok());
    }

    /// One value, one encoding: whatever passes the check is exactly what the writer would have written.
    #[test]
    fn whatever_passes_the_check_is_already_in_its_only_form(mut bytes in object().prop_map(|v| canonical_of(&v)),
                                                           at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if Object::parse(&bytes, 65_536).is_ok() {
            let value: serde_json::Value = serde_json::from_slice(&bytes).expect("checked JSON");
            prop_assert_eq!(canonical_of(&value), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _verdict = Object::parse(&bytes, LIMIT).and_then(|o| o.exact(["a", "b"]).map(|_| ()));
    }

    #[test]
    fn almost_json_never_panics(text in r#"[{}\[\]":,\\u0-9a-f .eE-]{0,60}"#) {
        let _verdict = Object::parse(text.as_bytes(), LIMIT).and_then(|o| o.exact(["a", "b"]).map(|_| ()));
    }
}
