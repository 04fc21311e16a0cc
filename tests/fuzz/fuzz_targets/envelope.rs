//! Envelopes: what reads writes back byte for byte, and means the same to a second reader.
#![no_main]

use secmon_wire::Envelope;
use secmon_wire::limits::ENVELOPE_MAX;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::read(bytes) else { return };
    assert!(bytes.len() <= ENVELOPE_MAX);
    assert_eq!(envelope.write(&mut [0; ENVELOPE_MAX]), Ok(bytes));
    let meant = json!({
        "action": envelope.action.as_str(),
        "agent_id": envelope.agent_id.as_str(),
        "intent": {"hash": envelope.intent.hash.hex().as_str(), "seq": envelope.intent.seq},
        "nonce": envelope.nonce.hex().as_str(),
        "ts": envelope.ts,
        "v": 1,
    });
    assert_eq!(serde_json::from_slice::<Value>(bytes).expect("JSON"), meant);
});
