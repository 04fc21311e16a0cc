//! Manifests: what reads writes back byte for byte, lists nothing outside the table of operations, tunes nothing
//! beyond its bounds, and loses its HMAC with any change.
#![no_main]

use secmon_wire::limits::{MANIFEST_MAX, MIN_INTERVAL_MAX};
use secmon_wire::{Manifest, is_host, is_log_path, operation};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::read(bytes) else { return };
    let mut out = [0; MANIFEST_MAX];
    assert_eq!(manifest.write(&mut out), Ok(bytes));
    for capability in &manifest.body.operations {
        let row = operation(capability.action);
        assert!(row.pattern(&capability.unit).is_some());
        assert!((row.min_interval_s..=MIN_INTERVAL_MAX).contains(&capability.min_interval_s));
        assert_eq!(manifest.body.capability(capability.action), Some(capability), "one for each operation");
    }
    let tuning = &manifest.body.tuning;
    assert!(tuning.hosts().all(is_host));
    assert!(tuning.access_logs().chain(tuning.error_logs()).all(is_log_path));
    assert!(tuning.log_directories().all(|directory| directory.starts_with('/')));
    assert!(tuning.thresholds().all(|(threshold, value)| threshold.allows(value)));

    // The dispatch key signs everything but the two signatures.
    let mut meant: Value = serde_json::from_slice(bytes).expect("JSON");
    let fields = meant.as_object_mut().expect("an object");
    assert!(fields.remove("control_signature").is_some() && fields.remove("signature").is_some());
    let message = manifest.body.control_message(&mut out).expect("room");
    assert_eq!(serde_json::to_vec(&meant).expect("JSON"), message);

    let sealed = manifest.body.clone().seal(manifest.control_signature, b"secret").expect("room");
    assert!(sealed.mac_is_valid(b"secret") && !sealed.mac_is_valid(b"another"));
    let mut changed = sealed;
    changed.body.seq ^= 1;
    assert!(!changed.mac_is_valid(b"secret"));
});
