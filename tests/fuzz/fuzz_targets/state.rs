//! The state file's payload.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::state(bytes));
