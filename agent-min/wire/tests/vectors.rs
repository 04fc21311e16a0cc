//! The wire crate against the golden vectors of `tests/vectors`, which a Python script made that shares no
//! code with it. Ed25519 is checked with ring, as both sides of the wire do.

use ring::signature::{ED25519, UnparsedPublicKey};
use secmon_wire::canonical::{Object, Writer};
use secmon_wire::limits::{ENVELOPE_MAX, MANIFEST_MAX, RECEIPT_MAX};
use secmon_wire::signature::{envelope_message, receipt_message};
use secmon_wire::{Envelope, Manifest, Receipt, WireError};
use serde_json::Value;

const ROOM: usize = 4096;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cases<'v>(vectors: &'v Value, list: &str) -> &'v [Value] {
    let cases = vectors[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
    assert!(!cases.is_empty(), "{list} is empty");
    cases
}

fn text<'v>(case: &'v Value, field: &str) -> &'v str {
    case[field].as_str().unwrap_or_else(|| panic!("no {field} in {case}"))
}

fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "{digits}");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Every refused case is refused with the error that it names.
fn assert_refused<T: std::fmt::Debug>(vectors: &Value, read: impl Fn(&[u8]) -> Result<T, WireError>) {
    for case in cases(vectors, "refused") {
        let bytes = match case.get("hex") {
            Some(digits) => unhex(digits.as_str().expect("hex digits")),
            None => text(case, "text").as_bytes().to_vec(),
        };
        match read(&bytes) {
            Ok(read) => panic!("{}: accepted as {read:?}", text(case, "name")),
            Err(error) => assert_eq!(error.code(), text(case, "code"), "{case}: {error}"),
        }
    }
}

fn is_signed(vectors: &Value, message: &[u8], signature: &[u8]) -> bool {
    let key = unhex(text(vectors, "public_key"));
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

fn write(w: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Object(members) => {
            w.open(b'{');
            for (key, value) in members {
                w.key(key);
                write(w, value);
            }
            w.close(b'}');
        }
        Value::Array(elements) => {
            w.open(b'[');
            elements.iter().for_each(|element| write(w, element));
            w.close(b']');
        }
        Value::String(text) => w.text(text),
        other => w.raw(other.to_string().as_bytes()),
    }
}

#[test]
fn what_python_writes_canonically_is_accepted_and_written_the_same_way() {
    let vectors = vectors("canonical.json");
    for case in cases(&vectors, "accepted") {
        let text = case.as_str().expect("a text");
        assert!(Object::parse(text.as_bytes(), ROOM).is_ok(), "{text}");
        let value: Value = serde_json::from_str(text).expect("JSON");
        let mut out = [0; ROOM];
        let mut w = Writer::new(&mut out);
        write(&mut w, &value);
        assert_eq!(w.finish().map(String::from_utf8_lossy), Ok(text.into()));
    }
}

#[test]
fn every_fault_of_form_is_refused_with_its_own_error() {
    assert_refused(&vectors("canonical.json"), |bytes| Object::parse(bytes, ROOM).map(|_| ()));
}

#[test]
fn envelopes_signed_by_python_are_read_field_by_field_and_verified() {
    let vectors = vectors("envelopes.json");
    for case in cases(&vectors, "valid") {
        let (body, fields) = (text(case, "body"), &case["fields"]);
        let envelope = Envelope::read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(envelope.action.as_str(), fields["action"]);
        assert_eq!(envelope.agent_id.as_str(), fields["agent_id"]);
        assert_eq!(envelope.intent.hash.hex().as_str(), fields["intent"]["hash"]);
        assert_eq!(envelope.intent.seq, fields["intent"]["seq"]);
        assert_eq!(envelope.nonce.hex().as_str(), fields["nonce"]);
        assert_eq!(envelope.ts, fields["ts"]);
        assert_eq!(envelope.write(&mut [0; ENVELOPE_MAX]), Ok(body.as_bytes()));
        let message = envelope_message(body.as_bytes()).expect("within the limit");
        assert!(is_signed(&vectors, &message, &unhex(text(case, "signature"))), "{body}");
    }
}

#[test]
fn faulty_envelopes_are_refused_with_the_error_that_python_names() {
    assert_refused(&vectors("envelopes.json"), Envelope::read);
}

#[test]
fn an_envelope_signed_otherwise_is_not_signed() {
    let vectors = vectors("envelopes.json");
    for case in cases(&vectors, "forged") {
        let message = envelope_message(text(case, "body").as_bytes()).expect("within the limit");
        assert!(!is_signed(&vectors, &message, &unhex(text(case, "signature"))), "{}", text(case, "name"));
    }
}

#[test]
fn manifests_sealed_by_python_are_read_and_both_their_signatures_hold() {
    let vectors = vectors("manifests.json");
    for case in cases(&vectors, "valid") {
        let (bytes, fields) = (text(case, "text"), &case["fields"]);
        let manifest = Manifest::read(bytes.as_bytes()).unwrap_or_else(|error| panic!("{bytes}: {error}"));
        let body = &manifest.body;
        assert_eq!(body.agent_id.as_str(), fields["agent_id"]);
        assert_eq!(body.client_id.as_str(), fields["client_id"]);
        assert_eq!(body.issued, fields["issued"]);
        assert_eq!(body.seq, fields["seq"]);
        assert_eq!(
            Value::from_iter(body.diagnostics.iter().map(|area| area.as_str())),
            fields["diagnostics"]
        );
        let operations = body.operations.iter().map(|capability| {
            serde_json::json!({
                "action": capability.action.as_str(),
                "min_interval_s": capability.min_interval_s,
                "unit": capability.unit.as_str(),
            })
        });
        assert_eq!(Value::from_iter(operations), fields["operations"]);
        let texts = |list: &mut dyn Iterator<Item = &str>| Value::from_iter(list);
        let tuning = match body.tuning.is_empty() {
            true => Value::Null,
            false => serde_json::json!({
                "access_logs": texts(&mut body.tuning.access_logs()),
                "error_logs": texts(&mut body.tuning.error_logs()),
                "hosts": texts(&mut body.tuning.hosts()),
                "thresholds": Value::from_iter(
                    body.tuning.thresholds().map(|(id, value)| serde_json::json!([id.as_str(), value])),
                ),
            }),
        };
        assert_eq!(tuning, fields["tuning"]);
        assert_eq!(manifest.write(&mut [0; MANIFEST_MAX]), Ok(bytes.as_bytes()));
        let mut out = [0; MANIFEST_MAX];
        let message = body.control_message(&mut out).expect("room");
        assert_eq!(String::from_utf8_lossy(message), text(case, "control_message"));
        assert!(is_signed(&vectors, message, &manifest.control_signature), "{bytes}");
        assert!(manifest.mac_is_valid(text(&vectors, "secret").as_bytes()), "{bytes}");
        let sealed = body.clone().seal(manifest.control_signature, text(&vectors, "secret").as_bytes());
        assert_eq!(sealed, Ok(manifest));
    }
}

#[test]
fn faulty_manifests_are_refused_with_the_error_that_python_names() {
    assert_refused(&vectors("manifests.json"), Manifest::read);
}

#[test]
fn an_edited_manifest_loses_exactly_the_signatures_that_cover_the_edit() {
    let vectors = vectors("manifests.json");
    for case in cases(&vectors, "forged") {
        let name = text(case, "name");
        let manifest =
            Manifest::read(text(case, "text").as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut out = [0; MANIFEST_MAX];
        let message = manifest.body.control_message(&mut out).expect("room");
        assert_eq!(is_signed(&vectors, message, &manifest.control_signature), case["control"], "{name}");
        assert_eq!(manifest.mac_is_valid(text(&vectors, "secret").as_bytes()), case["mac"], "{name}");
    }
}

#[test]
fn receipts_signed_by_python_are_read_field_by_field_and_verified() {
    let vectors = vectors("receipts.json");
    for case in cases(&vectors, "valid") {
        let (body, fields) = (text(case, "body"), &case["fields"]);
        let receipt = Receipt::read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(receipt.action.as_str(), fields["action"]);
        assert_eq!(receipt.after.as_str(), fields["after"]);
        assert_eq!(receipt.agent_id.as_str(), fields["agent_id"]);
        assert_eq!(receipt.before.as_str(), fields["before"]);
        assert_eq!(receipt.clock, fields["clock"]);
        assert_eq!(receipt.duration_ms, fields["duration_ms"]);
        assert_eq!(Value::from(receipt.exit), fields["exit"]);
        assert_eq!(receipt.intent.hash.hex().as_str(), fields["intent"]["hash"]);
        assert_eq!(receipt.intent.seq, fields["intent"]["seq"]);
        assert_eq!(receipt.nonce.hex().as_str(), fields["nonce"]);
        assert_eq!(receipt.prev.map(|hash| hash.hex()).as_deref().unwrap_or_default(), fields["prev"]);
        assert_eq!(receipt.reason.as_str(), fields["reason"]);
        assert_eq!(receipt.seq, fields["seq"]);
        assert_eq!(receipt.state.as_str(), fields["state"]);
        assert_eq!(receipt.unit.as_ref().map_or("", |unit| unit.as_str()), fields["unit"]);
        assert_eq!(receipt.write(&mut [0; RECEIPT_MAX]), Ok(body.as_bytes()));
        let message = receipt_message(body.as_bytes()).expect("within the limit");
        assert!(is_signed(&vectors, &message, &unhex(text(case, "signature"))), "{body}");
    }
}

#[test]
fn faulty_receipts_are_refused_with_the_error_that_python_names() {
    assert_refused(&vectors("receipts.json"), Receipt::read);
}

#[test]
fn a_receipt_signed_otherwise_is_not_signed() {
    let vectors = vectors("receipts.json");
    for case in cases(&vectors, "forged") {
        let message = receipt_message(text(case, "body").as_bytes()).expect("within the limit");
        assert!(!is_signed(&vectors, &message, &unhex(text(case, "signature"))), "{}", text(case, "name"));
    }
}
