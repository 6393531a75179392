"""Runs and exports that tests share, made by the program of the package in a temporary folder."""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PLACE = Path(tempfile.mkdtemp(prefix="metadrift-python-"))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)


def program(*arguments, **options):
    """Runs the program; returns the finished process."""
    return subprocess.run([sys.executable, "-m", "metadrift", *map(str, arguments)], cwd=PLACE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)


def succeeds(*arguments):
    done = program(*arguments)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def run(preset="cartpole-flip", learner="maml"):
    """The folder of a run of one iteration."""
    return made_run(preset, learner)


def export(preset="cartpole-flip", learner="maml"):
    """The folder of its export."""
    return made_export(preset, learner)


@functools.cache
def made_run(preset, learner):
    folder = PLACE / f"{preset}-{learner}"
    succeeds("train", preset, "--learner", learner, "--iterations", 1, "--run-dir", folder, "-q", "--no-evaluate")
    return folder


@functools.cache
def made_export(preset, learner):
    folder = PLACE / f"{preset}-{learner}-export"
    succeeds("export", run(preset, learner), "--to", folder, "--format", "rust")
    return folder
