//! Receipts: what reads writes back byte for byte, and means the same to a second reader.
#![no_main]

use secmon_wire::limits::{REASON_MAX, RECEIPT_MAX};
use secmon_wire::{Receipt, Unit};
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(receipt) = Receipt::read(bytes) else { return };
    assert!(bytes.len() <= RECEIPT_MAX && receipt.reason.len() <= REASON_MAX);
    assert_eq!(receipt.write(&mut [0; RECEIPT_MAX]), Ok(bytes));
    let meant = json!({
        "action": receipt.action.as_str(),
        "after": receipt.after.as_str(),
        "agent_id": receipt.agent_id.as_str(),
        "before": receipt.before.as_str(),
        "clock": receipt.clock,
        "duration_ms": receipt.duration_ms,
        "exit": receipt.exit,
        "intent": {"hash": receipt.intent.hash.hex().as_str(), "seq": receipt.intent.seq},
        "nonce": receipt.nonce.hex().as_str(),
        "prev": receipt.prev.map(|hash| hash.hex()).as_deref().unwrap_or_default(),
        "reason": receipt.reason.as_str(),
        "seq": receipt.seq,
        "state": receipt.state.as_str(),
        "unit": receipt.unit.as_ref().map_or("", Unit::as_str),
        "v": 1,
    });
    assert_eq!(serde_json::from_slice::<Value>(bytes).expect("JSON"), meant);
});
