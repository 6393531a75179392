#!/bin/sh
# Checks and times metadrift on a GPU, and prints one table.
#   scripts/gpu_check.sh build DIR              here: puts a stripped program and this script into DIR
#   DIR/gpu_check.sh run LIBTORCH [PROGRAM]     on the machine with the GPU: needs nothing else but the folder LIBTORCH
#                                               with the full libtorch 2.11 libraries (torch/lib of the pip package)
# The program needs a processor with AVX2 (x86-64-v3).
set -eu

case ${1-} in
build)
    cd "$(dirname "$0")/.."
    out=${2:?usage: scripts/gpu_check.sh build DIR}
    mkdir -p "$out"
    python3 scripts/libtorch.py setup
    # a separate target folder, because other flags would make cargo rebuild the usual one
    RUSTFLAGS="-C target-cpu=x86-64-v3 -C strip=symbols" CARGO_TARGET_DIR=target/x86-64-v3 \
        cargo build --release --locked -p metadrift --features torch
    cp target/x86-64-v3/release/metadrift scripts/gpu_check.sh "$out/"
    ls -l "$out/metadrift"
    ;;
run)
    libraries=${2:?usage: gpu_check.sh run LIBTORCH [PROGRAM]}
    program=${3:-$(dirname "$0")/metadrift}
    # the CUDA libraries of pip packages lie in folders beside torch
    for folder in "$libraries"/../../nvidia/*/lib; do
        [ -d "$folder" ] && libraries=$libraries:$folder
    done
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    "$program" doctor
    echo "== the same numbers as on the CPU"
    "$program" selftest --device cuda
    echo "== one meta-iteration: rollouts, inner and outer part"
    "$program" bench --only meta-iteration --device cuda
    echo "== more tasks"
    "$program" bench --only tasks --tasks 20,100,400,2000 --device cuda
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
