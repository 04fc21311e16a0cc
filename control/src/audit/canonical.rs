//! Canonical JSON as bytes to hash: keys sorted by code point, no white space, strings verbatim but for
//! what JSON must escape.
//!
//! It is what Python writes for
//! `json.dumps(x, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`. It decides nothing and
//! reads nothing; whether a text is canonical is the verifier's question.

use serde_json::{Map, Value};

/// Appends the canonical form of `members` to `out`.
pub fn write_object(out: &mut Vec<u8>, members: &Map<String, Value>) {
    // A map's order depends on how serde_json was built, so it is never relied on.
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| key.as_str());
    out.push(b'{');
    for (position, (key, value)) in sorted.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        write_value(out, value);
    }
    out.push(b'}');
}

/// Appends the canonical form of `value` to `out`.
pub fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(members) => write_object(out, members),
        Value::Array(elements) => {
            out.push(b'[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, element);
            }
            out.push(b']');
        }
        Value::String(text) => write_string(out, text),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Null => out.extend_from_slice(b"null"),
    }
}

/// Appends `text` as a JSON string in its shortest form to `out`.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..=31 | b'"' | b'\\')) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        write_escape(out, *byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        8 => b'b',
        9 => b't',
        10 => b'n',
        12 => b'f',
        13 => b'r',
        _ => {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut out = Vec::new();
        write_value(&mut out, value);
        String::from_utf8(out).expect("UTF-8")
    }

    /// The expectations are what Python 3 printed for the same values.
    #[test]
    fn the_form_is_what_python_writes() {
        assert_eq!(
            canonical(&json!({"b": 1, "a": [true, false, null, -7], "é": {"z": "", "Z": {}}, "": []})),
            r#"{"":[],"a":[true,false,null,-7],"b":1,"é":{"Z":{},"z":""}}"#
        );
        assert_eq!(
            canonical(&json!("\"\\/\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}\u{80}\u{2028}é😀")),
            "\"\\\"\\\\/\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}\u{80}\u{2028}é😀\""
        );
        assert_eq!(canonical(&json!(u64::MAX)), "18446744073709551615");
        assert_eq!(canonical(&json!(i64::MIN)), "-9223372036854775808");
    }

    /// In UTF-16 order, which JavaScript sorts by, U+1F600 comes before U+FFFD.
    #[test]
    fn keys_are_sorted_by_code_point() {
        assert_eq!(
            canonical(&json!({"\u{1f600}": 1, "\u{fffd}": 2, "aa": 3, "a": 4, "B": 5})),
            "{\"B\":5,\"a\":4,\"aa\":3,\"\u{fffd}\":2,\"\u{1f600}\":1}"
        );
    }

    proptest! {
        #[test]
        fn every_string_is_read_back_by_another_reader(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }
    }
}
