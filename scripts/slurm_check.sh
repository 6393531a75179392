#!/bin/sh
# Checks docs/cluster.md under Slurm: brings up munge, slurmctld and slurmd on this node in a folder of their own, submits
# examples/slurm/train.sh with two ranks, and takes all of it down. About ten minutes; nothing of the system's own Slurm is used.
#   scripts/slurm_check.sh PROGRAM [PART...]     parts: plugins, warned, requeued, failures, limit; all of them without any
# The program is a release build (`cargo build --release`). Debian has Slurm and munge: apt-get install slurm-wlm munge
set -eu
[ $# -gt 0 ] || { sed -n '2,6s/^# *//p' "$0" >&2; exit 2; }
program=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin
for tool in munged slurmctld slurmd sbatch srun; do
    command -v "$tool" >/dev/null || { echo "slurm_check.sh: no $tool; on Debian: apt-get install slurm-wlm munge" >&2; exit 1; }
done
. scripts/mpi_wheels.sh
exec python3 -u scripts/slurm_check.py "$program" "$PWD/target/mpi" "$@"
