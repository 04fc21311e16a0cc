use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::audit::canonical::write_object;
use crate::audit::verify::json::{HashMember, Layout, parse};

const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn preimage(line: &str) -> Option<String> {
    let mut preimage = b"left over".to_vec();
    read(line.as_bytes(), &mut preimage).map(|_| String::from_utf8(preimage).expect("UTF-8"))
}

#[test]
fn the_pieces_around_the_hashes_are_joined_whatever_is_there() {
    let hashes = format!(r#""prev_hash":"{ONE}""#);
    let record_hash = format!(r#""record_hash":"{TWO}""#);
    for (before, between, after) in [
        ("", "", ""),
        (r#""a":1"#, "", ""),
        ("", r#""q":[]"#, ""),
        ("", "", r#""z":{}"#),
        (r#""a":1,"b":"\n""#, r#""q":2,"r":-3"#, r#""s":"é""#),
    ] {
        let join = |parts: &[&str]| {
            parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(",")
        };
        let line = format!("{{{}}}", join(&[before, &hashes, between, &record_hash, after]));
        assert_eq!(preimage(&line), Some(format!("{ONE}|{{{}}}", join(&[before, between, after]))), "{line}");
        let first = line.replace(ONE, "");
        assert_eq!(preimage(&first), Some(format!("|{{{}}}", join(&[before, between, after]))), "{first}");
    }
}

#[test]
fn a_line_without_both_hashes_is_left_to_the_careful_reader() {
    for line in ["{}", r#"{"prev_hash":""}"#, &format!(r#"{{"record_hash":"{TWO}"}}"#), ""] {
        assert_eq!(preimage(line), None, "{line}");
    }
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\\x00-\\x1f]{0,40}".prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let key = prop_oneof!["[a-z_]{1,10}", ".{0,3}", "p", "q", "z"];
    (proptest::collection::btree_map(key, value, 0..6), any::<bool>()).prop_map(|(map, first)| {
        let mut map: serde_json::Map<String, Value> = map.into_iter().collect();
        map.insert("prev_hash".into(), Value::from(if first { "" } else { ONE }));
        map.insert("record_hash".into(), Value::from(TWO));
        Value::Object(map)
    })
}

fn line(record: &Value) -> Vec<u8> {
    let mut line = Vec::new();
    write_object(&mut line, record.as_object().expect("an object"));
    line
}

/// The two readers see the same thing, or the quick one nothing.
fn agree(line: &str) -> Result<bool, TestCaseError> {
    let mut covered = Vec::new();
    let Some(found) = read(line.as_bytes(), &mut covered) else { return Ok(false) };
    // What is no hash is found out when it is compared with one, and then the careful reader is asked.
    let hex = |text: &HashText| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !hex(found.record_hash) || !found.prev_hash.is_none_or(|hash| hex(&hash)) {
        return Ok(false);
    }
    let parsed = parse(line).map_err(|reason| TestCaseError::fail(format!("{line}: {reason}")))?;
    prop_assert!(matches!(parsed.layout, Layout::Canonical | Layout::CanonicalWide), "{}", line);
    let text = |text: &[u8]| HashMember::Text(String::from_utf8(text.to_vec()).expect("UTF-8"));
    prop_assert_eq!(parsed.record_hash, text(found.record_hash));
    prop_assert_eq!(parsed.prev_hash, text(found.prev_hash.as_ref().map_or(&[][..], |hash| &hash[..])));
    let prev_hash = found.prev_hash.map_or(Vec::new(), |hash| hash.to_vec());
    prop_assert_eq!(covered, [&prev_hash[..], b"|", &parsed.canonical].concat());
    Ok(true)
}

proptest! {
    #[test]
    fn canonical_lines_are_read_as_the_careful_reader_reads_them(record in record()) {
        let line = String::from_utf8(line(&record)).expect("UTF-8");
        let plain_keys = !line.contains("\\");
        let taken = agree(&line)?;
        prop_assert!(taken || !plain_keys, "{}", line);
    }

    #[test]
    fn whatever_the_quick_reader_takes_is_canonical(record in record(), at in any::<prop::sample::Index>(),
                                                    byte in any::<u8>()) {
        let mut bytes = line(&record);
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if let Ok(line) = std::str::from_utf8(&bytes) {
            agree(line)?;
        }
    }

    #[test]
    fn every_stop_is_found(bytes in any::<[u8; 8]>()) {
        let first = bytes.iter().position(|byte| matches!(byte, 0..=31 | b'"' | b'\\')).unwrap_or(8);
        prop_assert_eq!(stops(u64::from_le_bytes(bytes)).trailing_zeros() as usize / 8, first);
    }
}
