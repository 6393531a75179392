#!/usr/bin/env python3
"""Searches the settings of presets, and compares the best ones with the presets' own on seeds and tasks that no search has seen.

    scripts/tune_presets.py PROGRAM OUT PRESET...

27 trials by TPE with successive halving, seed 0; then three trainings of each, seeds 1 to 3, and returns of the most likely actions
after one adaptation step on 100 held-out tasks. A row of the table says which settings were found; the preset's own are confirmed
unless the others are better in all three seeds. What is in the folder already is not made again.
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys

SPACE = """[tune]
name = "{preset}"
base = "{preset}"
trials = 27
halving = {{ first = {first}, factor = 3 }}

[tune.space]
"maml.inner_lr" = {{ low = 0.02, high = 1.0, log = true }}
"ppo.outer_lr" = {{ low = 3e-4, high = 1e-2, log = true }}
"ppo.outer_epochs" = {{ low = 1, high = 8 }}
"ppo.clip_eps" = {{ low = 0.1, high = 0.4 }}
"""
SEEDS, SPLITS = (1, 2, 3), ("in-dist", "ood")


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def returns(program, folder, arguments):
    """Mean returns after one step of runs with each seed, `{split: [seeds]}`."""
    found = {split: [] for split in SPLITS}
    for seed in SEEDS:
        dir = folder.parent / f"{folder.name}-{seed}"
        if not dir.exists():
            run(program, "train", *arguments, "--seed", seed, "--run-dir", dir, "--no-evaluate", "-q")
        for split in SPLITS:
            curve = json.loads(run(program, "evaluate", dir, "--split", split, "--adapt-steps", 1, "--format", "json"))["curve"]
            found[split].append(curve[-1]["deterministic"]["mean"])
    return found


def row(program, out, preset):
    """The row of a preset."""
    iterations = int(re.search(r"(?m)^iterations = (\d+)", run(program, "train", preset, "--dry-run"))[1])
    out.mkdir(parents=True, exist_ok=True)
    space = out / "space.toml"
    space.write_text(SPACE.format(preset=preset, first=max(1, iterations // 9)))
    run(program, "tune", space, "--out", out / "search", "-q")
    results = json.loads((out / "search/results.json").read_text())
    best = next(trial for trial in results["trials"] if trial["number"] == results["best"][0])
    before = returns(program, out / "own", [preset])
    after = returns(program, out / "found", [out / "search/best.toml"])
    cells = []
    for split in SPLITS:
        apart = [new - old for old, new in zip(before[split], after[split])]
        cells.append(f"{statistics.mean(before[split]):.1f} → {statistics.mean(after[split]):.1f} "
                     f"({min(apart):+.1f} to {max(apart):+.1f})")
    apart = [new - old for old, new in zip(before["in-dist"], after["in-dist"])]
    verdict = "beaten" if min(apart) > 0 else "confirmed"
    settings = ", ".join(f"{key.split('.')[1]} {value}" for key, value in best["settings"].items())
    return f"| {preset} | {settings} | {cells[0]} | {cells[1]} | {verdict} |"


def main():
    program, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    print("| preset | found | in-dist, own → found (difference by seed) | ood | own settings are |\n| --- | --- | --- | --- | --- |")
    for preset in sys.argv[3:]:
        print(row(program, out / preset, preset), flush=True)


if __name__ == "__main__":
    main()
