#!/bin/sh
# Compares the graphs that the tests have exported with their cases, in onnxruntime, and runs the controller of the examples
# on it. The packages go to an environment of their own, target/onnx-venv.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
graphs=$target/onnx
python=$target/onnx-venv/bin/python
stamp=$target/onnx-venv/requirements.txt
if ! cmp -s scripts/onnx_requirements.txt "$stamp"; then
    python3 -m venv --clear "$target/onnx-venv"
    "$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps -r scripts/onnx_requirements.txt
    cp scripts/onnx_requirements.txt "$stamp"
fi
[ -d "$graphs" ] || METADRIFT_ONNX=$graphs cargo test --quiet --locked --test program onnx::
"$python" scripts/onnx_check.py "$graphs"/*
echo "[onnx] graphs agree with the program in onnxruntime, and the controller adapts" >&2
