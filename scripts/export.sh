#!/bin/sh
# Exports a small run, and checks what is written by its vectors: the crate by cargo, the C sources by a C compiler.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
# what the tests have built: features as cargo unites them for the tests, so that nothing is compiled twice
cargo test --workspace --locked --no-run --quiet
# of a library beside a test cargo promises no place
cargo build -p metadrift-runtime-c --locked --quiet
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
for learner in maml rl2 distill-window; do
    "$target/debug/metadrift" train cartpole-flip --learner $learner --run-dir $learner --iterations 1 -q --no-evaluate
    "$target/debug/metadrift" export $learner --to out-$learner >told
    (
        cd out-$learner/c
        "${CC:-cc}" -std=c99 -O1 -Wall -Werror -o check check.c policy.c "$target/debug/libmetadrift_c.a" -lpthread -ldl -lm
        ./check ../vectors
    )
    # the runtime of this repository in place of a published one
    (
        cd out-$learner/rust
        CARGO_TARGET_DIR="$target/exported" cargo test --offline --quiet \
            --config "patch.crates-io.metadrift-runtime.path=\"$root/runtime\""
    )
done
cargo check --quiet --manifest-path "$root/Cargo.toml" -p metadrift-runtime --no-default-features
echo "[export] exported crates and C sources compute what training did" >&2
