#!/bin/sh
# The WebAssembly of exported pages.
#
#   scripts/page.sh build    builds src/commands/export/page/metadrift.wasm anew; needs the target (rustup target add
#                            wasm32-unknown-unknown) and the toolchain of rust-toolchain.toml, which gives the same bytes
#   scripts/page.sh check    compiles its sources for that target, and lets Node compare it with this machine: policies by
#                            the vectors of their exports, worlds tick by tick with the same sources. What is not
#                            installed is skipped.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
wasm=wasm32-unknown-unknown
module=src/commands/export/page/metadrift.wasm

has_target() {
    [ -d "$(rustc --print target-libdir --target $wasm)" ]
}

build() {
    has_target || { echo "[page] the target is missing: rustup target add $wasm" >&2; exit 1; }
    # no path of this machine is in the module
    RUSTFLAGS="-C target-feature=+simd128 --remap-path-prefix=$root=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
        cargo build --locked -p metadrift-page --lib --target $wasm --profile page
    cp "$target/$wasm/page/metadrift_page.wasm" $module
    chmod 644 $module
    echo "[page] $module: $(wc -c <$module) bytes, $(gzip -9 -c $module | wc -c) packed, sha256 $(sha256sum $module | cut -c 1-16)" >&2
}

check() {
    if has_target; then
        cargo check --locked --quiet -p metadrift-page --target $wasm
    else
        echo "[page] SKIPPED the sources for $wasm: rustup target add $wasm" >&2
    fi
    if ! command -v node >/dev/null; then
        echo "[page] SKIPPED the check of the module: there is no node" >&2
        return
    fi
    # what the tests have built, the program and the example among it, so that nothing is compiled twice
    cargo test --workspace --locked --no-run --quiet
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    cd "$place"
    # preset, learner
    for case in "cartpole-flip maml" "pendulum-flip maml" "cartpole-flip rl2" "cartpole-flip-delay distill-window" \
        "navigation maml" "complex-ode-aib maml" "cartpole-full context"; do
        # without quotes: two words
        set -- $case
        name=$1-$2
        "$target/debug/metadrift" train "$1" --learner "$2" --run-dir "$name" --iterations 1 -q --no-evaluate >told
        "$target/debug/metadrift" export "$name" --to "$name-wasm" --format wasm >told
        "$target/debug/metadrift" export "$name" --to "$name-page" --format page >told
        echo "[page] $name: $(node "$name-wasm/wasm/check.mjs")" >&2
        node "$root/scripts/page_play.mjs" "$name-page/page.html" setup "$name-wasm/wasm" >wasm
        "$target/debug/examples/play" setup "$name-page/policy.bin" >native
        cmp wasm native
        echo "[page] $name: $(wc -l <native) ticks of the world to the bit" >&2
    done
}

case ${1-} in
build) build ;;
check) check ;;
*) echo "usage: scripts/page.sh build|check" >&2; exit 2 ;;
esac
