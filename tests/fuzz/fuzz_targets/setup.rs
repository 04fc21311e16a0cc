//! What the monitor hands the network process at its start.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::setup(bytes));
