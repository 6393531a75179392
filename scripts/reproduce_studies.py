"""Studies that scripts/reproduce.py makes, their tables, and the figures of README.md."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Lives of the figure.
LIFE = ["--lives", 21, "--episodes", 30, "--anchor", 1, "--detector", "prediction"]
# The world of the life: CartPole whose actuator turns around every ten episodes.
TURNING = """name = "cartpole-turn"
description = "CartPole whose actuator turns around every ten episodes"
role = "adaptation"
task.env = "cartpole"
task.horizon = 500

[task.drift.actuator_gain]
kind = "square"
mean = 0.0
amplitude = { law = "uniform", low = 0.7, high = 1.3 }
period = 20
phase = "random"
clock = "adapt_round"
"""


def program(*arguments):
    """The standard output of `./x` with these arguments."""
    done = subprocess.run([ROOT / "x", *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"reproduce: `./x {' '.join(map(str, arguments))}` ended with exit code {done.returncode}")
    return done.stdout


def study(options, name="quick"):
    """The folder of a study; cells that are there already are not made again."""
    folder = options.out.resolve() / name
    program("study", name, "--out", folder, "-q")
    return folder


def rows_of(found, split):
    """A function of preset, method, metric and step that gives the cell of a table: a value with its 95 % interval."""
    rows = {(row["preset"], row["method"], row["metric"], row["at"]): row for row in found["rows"] if row["split"] == split}

    def cell(*place, scale=1, digits=1):
        row = rows.get(place)
        if row is None or row["value"] is None:
            return ""
        value, low, high = (f"{scale * row[key]:.{digits}f}" for key in ("value", "low", "high"))
        return f"{value} ({low} to {high})"

    return cell


def section(name, title, options):
    """The section of a study in docs/results.md: for each preset and split, methods on held-out tasks and, if it has them, in
    lives."""
    found = json.loads((study(options, name) / "results.json").read_text())
    last = found["evaluation"]["adapt_steps"]
    lives = any(row["metric"] == "live_return" for row in found["rows"])
    head = ["method", "after adaptation"]
    head += ["lives: return", "relative regret", "worst tenth", "lives harmed, %"] if lives else [f"minus {found['baseline']}"]
    parts = [f"## {title}", "", f"`scripts/reproduce.sh --only {name}`, the study `{name}`; intervals redraw seeds and tasks, or lives."]
    for preset in (preset["name"] for preset in found["presets"]):
        for split in ("in-dist", "ood"):
            cell = rows_of(found, split)
            lines = [head, ["---"] * len(head)]
            for method in (method["name"] for method in found["methods"]):
                row = [method, cell(preset, method, "mean", last)]
                if lives:
                    row += [cell(preset, method, "live_return", None), cell(preset, method, "live_relative_regret", None, digits=2),
                            cell(preset, method, "live_worst_decile", None), cell(preset, method, "live_harm", None, scale=100)]
                else:
                    row.append(cell(preset, method, "difference", last))
                lines.append(row)
            parts += ["", f"{preset}, {split}:", "", *("| " + " | ".join(cells) + " |" for cells in lines)]
    return "\n".join(parts) + "\n"


def study_table(options):
    """Methods of the quick study on held-out tasks: means with the 95 % intervals that redraw seeds and tasks."""
    found = json.loads((study(options) / "results.json").read_text())
    cell = rows_of(found, "in-dist")
    last = found["evaluation"]["adapt_steps"]
    presets = [preset["name"] for preset in found["presets"]]
    head = ["method"] + [f"{preset}{what}" for preset in presets for what in (", before", ", after", f", minus {found['baseline']}")]
    lines = [head, ["---"] * len(head)]
    for method in (method["name"] for method in found["methods"]):
        places = [(preset, method, metric, at) for preset in presets for metric, at in (("mean", 0), ("mean", last), ("difference", last))]
        lines.append([method, *(cell(*place) for place in places)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figure(source, name, options):
    """Puts a figure of the report on `source` into docs."""
    assets = options.out.resolve() / f"{name}-assets"
    program("report", source, "--out", options.out.resolve() / f"{name}.html", "--assets", assets)
    picture = "curves-cartpole-flip.svg" if name == "adaptation" else "life-median.svg"
    (ROOT / "docs" / f"{name}.svg").write_text((assets / picture).read_text())


def life(options):
    """Lives of MAML's policy of the quick study, seed 0, in the world that turns around."""
    run = study(options) / "cells" / "maml--cartpole-flip--s0" / "run"
    world, lives = options.out.resolve() / "turning.toml", options.out.resolve() / "life.jsonl"
    world.write_text(TURNING)
    lives.write_text(program("live", run, "--preset", world, *LIFE, "--format", "json"))
    return lives


def readme(name, options):
    """Makes what README.md shows of the quick study."""
    if name == "adaptation-figure":
        figure(study(options), "adaptation", options)
    elif name == "life-figure":
        figure(life(options), "life", options)
    else:
        text = (ROOT / "README.md").read_text()
        begin, end = (f"<!-- {word} -->\n" for word in (f"{name}: written by scripts/reproduce.py", f"end of {name}"))
        before, rest = text.split(begin)
        (ROOT / "README.md").write_text(before + begin + study_table(options) + "\n" + end + rest.split(end)[1])
