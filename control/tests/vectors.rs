//! The audit verifier and the one-time codes against the golden vectors of `tests/vectors`, which a Python
//! script made with hashlib, json and pyotp.

use std::io::Write;

use secmon_control::approval::{CodeVerdict, Otp, TotpSecret};
use secmon_control::audit::verify::{Report, verify_file, verify_stream};
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cases<'v>(vectors: &'v Value, list: &str) -> &'v [Value] {
    let cases = vectors[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
    assert!(!cases.is_empty(), "{list} is empty");
    cases
}

/// What the verifier says of a chain in a file and of the same chain on a pipe.
fn reports(chain: &str) -> [Report; 2] {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(chain.as_bytes()).expect("a written file");
    [
        verify_file(&file, &[], &mut |_| {}).expect("a readable file"),
        verify_stream(&mut chain.as_bytes(), &[], &mut |_| {}).expect("a readable stream"),
    ]
}

#[test]
fn chains_that_python_hashed_are_sound_to_the_verifier() {
    for case in cases(&vectors("audit.json"), "sound") {
        for report in reports(case["text"].as_str().expect("a text")) {
            assert!(report.is_sound(), "{}: {report:?}", case["name"]);
            assert_eq!(report.records, case["records"], "{}", case["name"]);
            assert_eq!(report.head, case["head"], "{}", case["name"]);
        }
    }
}

/// The vectors list every line that doesn't fit the one before it. The verifier may know better why, and then
/// names fewer of them; but it never misses the first, and never blames a line that fits.
#[test]
fn chains_that_python_broke_are_broken_where_they_were_broken() {
    for case in cases(&vectors("audit.json"), "broken") {
        let lines: Vec<u64> = case["lines"]
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| line.as_u64().expect("a line"))
            .collect();
        for report in reports(case["text"].as_str().expect("a text")) {
            let named: Vec<u64> = report.breaks.iter().map(|found| found.line).collect();
            assert_eq!(named.first(), lines.first(), "{}: {report:?}", case["name"]);
            assert!(named.iter().all(|line| lines.contains(line)), "{}: {report:?}", case["name"]);
        }
    }
}

#[test]
fn codes_that_pyotp_made_are_right_in_their_step_and_the_two_beside_it() {
    for case in cases(&vectors("totp.json"), "codes") {
        let secret = TotpSecret::from_base32(case["secret"].as_str().expect("a secret")).expect("base32");
        let code = Otp::new(case["code"].as_str().expect("a code")).expect("six digits");
        let step = case["time"].as_u64().expect("a time") / 30;
        for now in [step.saturating_sub(1), step, step + 1].map(|near| near * 30) {
            assert_eq!(secret.judge(&code, now), CodeVerdict::Right { step }, "{case}");
        }
        for now in [step + 2, step + 20].map(|far| far * 30) {
            assert_eq!(secret.judge(&code, now), CodeVerdict::Wrong, "{case}");
        }
    }
}
