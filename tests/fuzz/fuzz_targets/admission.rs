//! The gate and its books: no envelope is ever admitted twice.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secmon_agent::fuzz::admission(bytes));
