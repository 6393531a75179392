#!/usr/bin/env python3
"""Makes the README's transcript of a training, docs/learning.svg and docs/tensorboard.png from today's version.

    python3 scripts/transcripts.py            trains cartpole-flip with three seeds and writes all three
    python3 scripts/transcripts.py --check    exits 1 if the transcript in README.md is not what seed 0 prints

The picture of TensorBoard needs the package tensorboard for this Python, and chromium; without them it is left as it
is, with a word on standard error.
"""

import argparse
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import summary

ROOT = Path(__file__).resolve().parent.parent
README, CURVE, BOARD = ROOT / "README.md", ROOT / "docs/learning.svg", ROOT / "docs/tensorboard.png"
PRESET = "cartpole-flip"
SEEDS = 0, 1, 2
BEGIN, END = "<!-- transcript: written by scripts/transcripts.py -->\n", "<!-- end of transcript -->"


def train(program, run, seed, options):
    """Trains and returns the lines of progress."""
    command = [*program, "train", PRESET, "--seed", str(seed), "--run-dir", str(run), "--no-evaluate", *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return [line for line in done.stderr.splitlines() if re.match(r"iter +\d+/", line)]


def transcript(lines):
    """The first line, one in which adaptation begins to work, and the last, without the values that differ from run to run."""
    chosen = [lines[0], lines[len(lines) // 4], lines[-1]]
    rows = [re.sub(r"(  kl \S+).*", r"\1  …", line) for line in dict.fromkeys(chosen)]
    return BEGIN + "```\n" + "\n".join(rows) + "\n```\n" + END


def with_transcript(text, new):
    before, rest = text.split(BEGIN)
    return before + new + rest.split(END, 1)[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def photograph(runs):
    """A picture of TensorBoard with the returns of all runs."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser or not importlib.util.find_spec("tensorboard"):
        missing = "chromium" if not browser else "the package tensorboard"
        print(f"[transcripts] {BOARD.name} is left as it is: {missing} is missing", file=sys.stderr)
        return
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", f"--logdir={runs}", f"--port={port}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://localhost:{port}/"
    try:
        for _ in range(120):
            time.sleep(0.5)
            try:
                if len(urllib.request.urlopen(address + "data/runs").read()) > 5:
                    break
            except OSError:
                pass
        else:
            sys.exit("TensorBoard did not find the runs within a minute")
        query = "?pinnedCards=&tagFilter=return%2F(unadapted%7Cpost%24%7Cgain)&smoothing=0#timeseries"
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                            "--window-size=1600,760", "--run-all-compositor-stages-before-draw",
                            "--virtual-time-budget=60000", f"--screenshot={BOARD}",
                            address + query], check=True, stderr=subprocess.DEVNULL, timeout=120)
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; compare the transcript")
    parser.add_argument("--program", default=str(ROOT / "x"), help="what trains (default: ./x)")
    parser.add_argument("--train", default="", metavar="OPTIONS", help="further options of `train`")
    parser.add_argument("--runs", type=Path, help="keep the runs in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = given.runs or Path(temporary)
        seeds = SEEDS[:1] if given.check else SEEDS
        folders = [runs / f"{PRESET}-seed-{seed}" for seed in seeds]
        lines = [train([given.program], run, seed, given.train.split()) for run, seed in zip(folders, seeds)]
        text = README.read_text()
        new = with_transcript(text, transcript(lines[0]))
        if given.check:
            if new != text:
                sys.exit("README.md shows another transcript than this version prints; run: scripts/transcripts.py")
            return
        README.write_text(new)
        CURVE.write_text(summary.plot(folders, f"{PRESET}: return during meta-training (500 is the most)"))
        photograph(runs)


if __name__ == "__main__":
    main()
