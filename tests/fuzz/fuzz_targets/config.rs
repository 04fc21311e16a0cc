//! `agent.json`: what is taken is one JSON object, and each field means the same to a second reader.
#![no_main]

use std::net::SocketAddr;

use serde_json::Value;

const NAMES: [&str; 8] = [
    "agent_id",
    "diagnostics_user",
    "init_dir",
    "listen",
    "network_user",
    "run_dir",
    "service_manager",
    "state",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(ours) = secmon_agent::fuzz::config(bytes) else { return };
    // A form feed behind the brace is white space to us.
    let theirs: Value = serde_json::from_slice(bytes.trim_ascii_end()).expect("JSON");
    let fields = theirs.as_object().expect("an object");
    assert!(fields.keys().all(|name| NAMES.contains(&name.as_str())));
    for (name, ours) in NAMES.iter().zip(ours) {
        match fields.get(*name) {
            None | Some(Value::Null) => assert!(!matches!(*name, "agent_id" | "listen")),
            Some(value) => {
                let text = value.as_str().expect("text");
                let same = match *name {
                    "listen" => text.parse::<SocketAddr>().is_ok_and(|address| address.to_string() == ours),
                    _ => text == ours,
                };
                assert!(same, "{name}: {text:?} is read as {ours:?}");
            }
        }
    }
});
