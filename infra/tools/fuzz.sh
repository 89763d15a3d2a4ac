#!/usr/bin/env bash
# Fuzzes the parsers: infra/tools/fuzz.sh [TARGET] [SECONDS] [OPTION…] (all targets one after the other, 60 s each, without arguments).
# libFuzzer on the pinned toolchain: coverage without sanitizers, with overflow checks and debug assertions. What it finds grows in
# target/fuzz/corpus/TARGET from the committed seeds; an input that fails is written to target/fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$PWD/target/fuzz"
host="$(rustc -vV | sed -n 's/^host: //p')"
targets="$(cd tests/fuzz/fuzz_targets && ls ./*.rs | sed 's|^\./||; s|\.rs$||')"
target="${1:-all}"
seconds="${2:-60}"
shift $(($# > 2 ? 2 : $#))

if [ "$target" != all ]; then
    [ -f "tests/fuzz/fuzz_targets/$target.rs" ] || { echo "fuzz: no target $target; there are:" $targets >&2; exit 1; }
    targets="$target"
fi

# --target keeps the flags away from build scripts, which run on this machine without libFuzzer.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
for name in $targets; do
    cargo build --quiet --release --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "$out" --target "$host" --bin "$name"
    corpus="$out/corpus/$name"
    artifacts="$out/artifacts/$name"
    mkdir -p "$corpus" "$artifacts"
    echo "fuzz: $name, $seconds s"
    "$out/$host/release/$name" "$corpus" "tests/fuzz/corpus/$name" -dict="tests/fuzz/dictionary" -artifact_prefix="$artifacts/" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len=8192 -print_final_stats=1 "$@"
done
