//! Health: what reads writes back byte for byte, and means the same to a second reader.
#![no_main]

use secmon_wire::Health;
use secmon_wire::limits::HEALTH_MAX;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(health) = Health::read(bytes) else { return };
    assert!(bytes.len() <= HEALTH_MAX);
    assert_eq!(health.write(&mut [0; HEALTH_MAX]), Ok(bytes));
    let meant = json!({
        "agent_id": health.agent_id.as_str(),
        "clock": health.clock,
        "last_intent": health.last_intent,
        "manifest": health.manifest.hex().as_str(),
        "receipts": health.receipts,
        "sandbox_missing": health.sandbox_missing.as_str(),
        "uptime_s": health.uptime_s,
        "v": 1,
        "version": health.version.as_str(),
    });
    assert_eq!(serde_json::from_slice::<Value>(bytes).expect("JSON"), meant);
});
