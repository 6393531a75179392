#!/bin/sh
# All checks: format, crates as packages, clippy, documentation, tests without and with libtorch, a project outside,
# ranks, exports, their graphs in onnxruntime, pages, the wheel for Python.
# Needs the set-up (./x setup --torch); ./x test does both. `scripts/check.sh STEP...` runs only some of them: format,
# scripts, package, clippy, docs, test, mpi, export, onnx, page, python, torch, example.
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
        failed="$failed $step"
    fi
}

with_torch() { # arguments of cargo test
    cargo test -p metadrift -p metadrift-agents --features metadrift/torch --locked "$@"
}

[ $# -gt 0 ] || set -- format scripts package clippy docs test mpi export onnx page python torch example
for step; do
    case $step in
    format) run format cargo fmt --all --check ;;
    scripts) run scripts python3 -m unittest discover --quiet scripts ;;
    clippy)
        run clippy cargo clippy --workspace --all-targets --locked -- -D warnings
        run clippy-torch cargo clippy --workspace --all-targets --features metadrift/torch --locked -- -D warnings
        ;;
    docs) run docs env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features metadrift/torch --locked ;;
    # the graphs that it exports stay for onnx
    test) run test env METADRIFT_ONNX="${CARGO_TARGET_DIR:-$PWD/target}/onnx" cargo test --workspace --locked ;;
    # the other crates know no libtorch, and most of the program's tests meet none, nor does any inside a crate
    torch)
        run torch with_torch --test agents --test learners --test memory_estimate
        run torch-program with_torch --test program -- cli:: double_integrator:: learning:: resume:: sizes::
        ;;
    example)
        run example sh scripts/example.sh
        run example-torch sh scripts/example.sh --features torch
        ;;
    export) run export sh scripts/export.sh ;;
    # with the program that the tests have built, and launchers from the package index
    mpi) run mpi sh scripts/mpi.sh target/debug/metadrift quick refusals ;;
    onnx) run onnx sh scripts/onnx.sh ;;
    page) run page sh scripts/page.sh check ;;
    python) run python sh scripts/python.sh ;;
    # the module for Python goes out as a wheel
    package) run package cargo package --workspace --exclude metadrift-python --no-verify --allow-dirty --locked --quiet ;;
    *) echo "[check] no such step: $step" >&2; exit 2 ;;
    esac
done
if [ -n "$failed" ]; then
    echo "[check] FAILED:$failed; again with: scripts/check.sh$failed" >&2
    exit 1
fi
echo "[check] all is well: $*" >&2
