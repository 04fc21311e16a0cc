//! What the network process has signed during a TLS handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::handshake(bytes));
