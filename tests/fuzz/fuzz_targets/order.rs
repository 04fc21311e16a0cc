//! What the monitor tells a diagnostics process at its start.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::order(bytes));
