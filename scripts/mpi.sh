#!/bin/sh
# Checks `train --distributed` under Open MPI and MPICH: bytes equal for 1 to 4 ranks, refusals, deaths of ranks.
#   scripts/mpi.sh                     builds the program without optimisation, and does all of it with 12 deaths
#   scripts/mpi.sh PROGRAM PART...     with a program (a build with debug assertions); parts: quick, bytes, refusals, kills=N
set -eu
cd "$(dirname "$0")/.."
. scripts/mpi_wheels.sh

if [ $# -eq 0 ]; then
    cargo build --locked --bin metadrift
    set -- target/debug/metadrift bytes refusals kills=12
fi
program=$(realpath "$1")
shift
exec python3 -u scripts/mpi_check.py "$program" "$PWD/target/mpi" "$@"
