//! What strangers send: request heads, one behind the other.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::http_request(bytes));
