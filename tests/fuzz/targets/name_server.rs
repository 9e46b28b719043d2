//! [`Target::NameServer`] under libFuzzer.
#![no_main]

use fuzz::Target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| Target::NameServer.check(bytes));
