#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=4 --cpus-per-task=8 --time=4:00:00
#SBATCH --requeue --signal=B:TERM@120 --open-mode=append
export SLURM_MPI_TYPE=${SLURM_MPI_TYPE:-pmix} # pmi2 for MPICH and its family
# this shell is warned two minutes before the end, and tells the ranks
trap 'warned=yes; scancel --signal=TERM "$SLURM_JOB_ID"' TERM
srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    metadrift train "$@" --distributed --resume-if-exists &
wait $!
code=$?
if [ -n "$warned" ]; then
    wait $! # the warning interrupted the first one
    code=$?
    [ $code -ne 0 ] && scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
