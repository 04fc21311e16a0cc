//! What the network process and the monitor say to each other.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::message(bytes));
