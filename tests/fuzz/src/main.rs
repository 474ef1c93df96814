//! Hands what libFuzzer makes up to the target that `FUZZ_TARGET` names.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls an exported function by its name")]
#![allow(clippy::panic, reason = "without a target there is nothing to run")]

use std::env;
use std::sync::LazyLock;

use belvedere_fuzz::{TARGETS, Target, find};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    find(&name).unwrap_or_else(|| panic!("FUZZ_TARGET is none of {names:?}"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
