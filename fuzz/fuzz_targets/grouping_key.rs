#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuseboard_fuzz::grouping_key::check(data));
