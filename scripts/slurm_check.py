#!/usr/bin/env python3
"""Runs the batch script of docs/cluster.md under a Slurm of this machine alone, and compares the run with one without ranks.

    slurm_check.py PROGRAM [LIBRARY]       LIBRARY: an MPI library that knows PMIx; by default Debian's Open MPI

It needs root, and of Debian `apt install slurm-wlm munge libopenmpi3 libpmix-dev`. It brings up munged, slurmctld and slurmd in
a temporary folder, and takes them down at its end; the folder stays after a failure, for its logs. The batch script is taken from
the document as it is; options of sbatch replace the nodes, cores and times, and a wrapper named `metadrift` makes the training
shorter. Checked are:

- the same bytes with two ranks by srun as without ranks;
- a job that Slurm warns before its time limit saves, queues itself again, goes on, and ends with the same bytes.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from same_run import equal

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEBIAN = "/usr/lib/x86_64-linux-gnu/libmpi.so.40"
SHORT = "--iterations 300 --no-evaluate --quiet --set rollout.num_tasks=6 --set checkpoint.every=50"
CONFIGURATION = """
ClusterName=check
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=2
KillWait=5
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def call(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=600, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


def bring_up(place):
    """The environment of a Slurm of one node, and its three processes."""
    for name in ("state", "spool"):
        (place / name).mkdir()
    host = os.uname().nodename.split(".")[0]
    (place / "slurm.conf").write_text(CONFIGURATION.format(host=host, place=place, cores=os.cpu_count()))
    (place / "key").write_bytes(os.urandom(128))
    (place / "key").chmod(0o400)
    environment = {**os.environ, "SLURM_CONF": f"{place}/slurm.conf"}
    munged = ["munged", "--foreground", "--force", f"--socket={place}/munge.socket", f"--key-file={place}/key",
              f"--pid-file={place}/munge.pid", f"--log-file={place}/munge.log", f"--seed-file={place}/munge.seed"]
    daemons = []
    for command in (munged, ["slurmctld", "-D"], ["slurmd", "-D"]):
        with open(place / f"{command[0]}.out", "w") as out:
            daemons.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        time.sleep(1)
    end = time.time() + 60
    while "idle" not in subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True).stdout:
        assert time.time() < end, f"no node came up; see {place}"
        time.sleep(0.5)
    return environment, daemons


def wrapper(place, program):
    """A folder with a `metadrift` that trains shortly."""
    (place / "bin").mkdir()
    file = place / "bin" / "metadrift"
    file.write_text(f'#!/bin/sh\nexec "{program}" "$@" {SHORT}\n')
    file.chmod(0o755)
    return file.parent


def state(job, environment):
    return re.search(r"JobState=(\w+).*? Restarts=(\d+)", call("scontrol", "show", "job", job, env=environment), re.S).groups()


def batch(place, environment, name, *options):
    """Submits the script and waits for its end; the number of times it was queued again, and its output."""
    folder = place / name
    folder.mkdir()
    options = ["--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=1", f"--output={folder}/out", *options]
    job = call("sbatch", "--parsable", *options, place / "script.sh", cwd=folder, env=environment).strip()
    before, end = None, time.time() + 600
    while (now := state(job, environment))[0] not in ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"):
        if now != before:
            print(f"{name}: {now[0]}, restarts {now[1]}", flush=True)
        before = now
        assert time.time() < end, (folder / "out").read_text()
        time.sleep(0.5)
    text = (folder / "out").read_text()
    assert now[0] == "COMPLETED", f"{name}: {now[0]}\n{text}"
    return int(now[1]), text


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    library = sys.argv[2] if len(sys.argv) > 2 else DEBIAN
    document = (ROOT / "docs" / "cluster.md").read_text()
    script = re.search(r"^```\n(#!/bin/bash\n#SBATCH.*?)^```", document, re.M | re.S)[1]
    place = pathlib.Path(tempfile.mkdtemp(prefix="slurm-"))
    daemons = []
    try:
        began = time.time()
        environment, daemons = bring_up(place)
        print(f"Slurm is up after {time.time() - began:.0f} s: {call('sinfo', '--version', env=environment).strip()}")
        environment["METADRIFT_MPI"] = library
        environment["PATH"] = f"{wrapper(place, program)}:{environment['PATH']}"
        (place / "script.sh").write_text(script)
        alone = place / "alone"
        alone.mkdir()
        began = time.time()
        call("metadrift", "train", "cartpole-physics", "--name", "long", env=environment, cwd=alone)
        print(f"without ranks: {time.time() - began:.0f} s")
        run = "runs/cartpole-physics/long"
        restarts, _ = batch(place, environment, "whole", "--time=10")
        equal(alone / run, place / "whole" / run, "two ranks by srun")
        assert restarts == 0
        print("equal to the byte: two ranks by srun")
        # limits are whole minutes; Slurm warns 50 s before the end of the one, or earlier, as it sees fit
        restarts, text = batch(place, environment, "warned", "--time=1", "--signal=TERM@50")
        equal(alone / run, place / "warned" / run, "a run that was warned")
        assert restarts > 0, text
        print(f"equal to the byte: two ranks by srun, warned and queued again {restarts} times")
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
    subprocess.run(["rm", "-rf", place], check=True)


if __name__ == "__main__":
    main()
