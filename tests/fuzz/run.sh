#!/usr/bin/env bash
# Fuzzes on the stable toolchain: run.sh [seconds per target, 60] [target…, all]
# Each target starts from its committed corpus; what it finds stays under the target directory. An input that fails is
# written to tests/fuzz/artifacts and replayed with: FUZZ_TARGET=<target> <binary> <file>
# Once the bug has its unit test, the input joins the corpus as `found-<number>`.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
shift || true
host=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-target}

# What cargo-fuzz passes, without the sanitizers that need a nightly compiler: the house has no unsafe code.
flags="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$option"
done
# --target keeps the flags away from build scripts and macros. Optimised, with overflow checks and assertions.
RUSTFLAGS="$flags" CARGO_PROFILE_DEV_OPT_LEVEL=2 CARGO_INCREMENTAL=0 \
    cargo build --quiet --locked --package belvedere-fuzz --features libfuzzer --bin fuzz --target "$host"
binary=$built/$host/debug/fuzz

if [ $# -eq 0 ]; then
    mapfile -t targets < <(ls tests/fuzz/corpus)
else
    targets=("$@")
fi
mkdir -p tests/fuzz/artifacts
for target in "${targets[@]}"; do
    found=$built/fuzz-finds/$target
    corpus=tests/fuzz/corpus/$target
    mkdir -p "$found"
    export FUZZ_TARGET=$target
    printf '\n== %s, %s s\n' "$target" "$seconds"
    log=$found.log
    if ! "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="tests/fuzz/artifacts/$target-" "$found" "$corpus" >"$log" 2>&1; then
        grep -A 6 panicked "$log" || tail -n 20 "$log"
        exit 1
    fi
    grep -E "stat::(number_of_executed_units|new_units_added|peak_rss_mb)|DONE" "$log"
done
