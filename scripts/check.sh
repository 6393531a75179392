#!/bin/sh
# All checks: format, crates as packages, clippy, documentation, tests without and with libtorch, a project outside,
# exports.
# Needs the set-up (./x setup --torch); ./x test does both. `scripts/check.sh STEP...` runs only some of them: format,
# scripts, package, clippy, docs, test, mpi (with the program that test has built, and launchers from PyPI), torch, example, export.
set -eu
cd "$(dirname "$0")/.."

failed=
run() { # name, command...
    name=$1
    shift
    echo "[check] $name: $*" >&2
    began=$(date +%s)
    if "$@"; then
        echo "[check] $name: ok, $(($(date +%s) - began)) s" >&2
    else
        echo "[check] $name: FAILED, $(($(date +%s) - began)) s" >&2
        failed="$failed $name"
    fi
}

[ $# -gt 0 ] || set -- format scripts package clippy docs test mpi torch example export
for step; do
    case $step in
    format) run format cargo fmt --all --check ;;
    scripts) run scripts python3 -m unittest discover --quiet scripts ;;
    clippy)
        run clippy cargo clippy --workspace --all-targets --locked -- -D warnings
        run clippy-torch cargo clippy --workspace --all-targets --features metadrift/torch --locked -- -D warnings
        ;;
    docs) run docs env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features metadrift/torch --locked ;;
    test) run test cargo test --workspace --locked ;;
    # the other crates know no libtorch
    torch) run torch cargo test -p metadrift -p metadrift-agents --features metadrift/torch --locked ;;
    example)
        run example sh scripts/example.sh
        run example-torch sh scripts/example.sh --features torch
        ;;
    export) run export sh scripts/export.sh ;;
    mpi) run mpi sh scripts/mpi.sh target/debug/metadrift quick refusals ;;
    package) run package cargo package --workspace --no-verify --allow-dirty --locked --quiet ;;
    *) echo "[check] no such step: $step" >&2; exit 2 ;;
    esac
done
if [ -n "$failed" ]; then
    echo "[check] FAILED:$failed; again with: scripts/check.sh$failed" >&2
    exit 1
fi
echo "[check] all is well: $*" >&2
