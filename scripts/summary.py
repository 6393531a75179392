"""One row of the README's results table for each run folder given, from its evaluations.

    python3 scripts/summary.py runs/reproduce/cartpole-flip-0 ...
    python3 scripts/summary.py --plot docs/learning.svg runs/reproduce/cartpole-flip-*
"""

import argparse
import csv
import json
import math
import pathlib


def row(run):
    """preset, seed, returns before and after one adaptation step on held-out tasks of both splits."""
    seed = json.loads((run / "manifest.json").read_text())["seed"]
    evaluation = {split: json.loads((run / "eval" / f"{split}.json").read_text()) for split in ("in-dist", "ood")}
    before, after = (evaluation["in-dist"]["curve"][k] for k in (0, 1))
    cells = [evaluation["in-dist"]["preset"], str(seed), f"{before['stochastic']['mean']:.0f}", f"{after['stochastic']['mean']:.1f}"]
    for split in ("in-dist", "ood"):
        likely = evaluation[split]["curve"][1]["deterministic"]
        low, high = likely["ci95"]
        cells += [f"{likely['mean']:.1f} [{low:.1f}, {high:.1f}]", f"{likely['worst_decile']:.1f}"]
    return "| " + " | ".join(cells) + " |"


def curves(runs):
    """Per run: the returns of every iteration without and with adaptation, on the same ticks."""
    for run in runs:
        with open(run / "metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        yield [float(r["return/unadapted"]) for r in rows], [float(r["return/post"]) for r in rows]


def ticks(low, high, count=5):
    """About `count` round numbers in [low, high]."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


STYLE = """<style>
text { fill: #222; } .quiet { fill: #666; } .grid { stroke: #ddd; } .band { opacity: 0.25; }
polyline.after { stroke: #1b6ca8; } .band.after, text.after { fill: #1b6ca8; }
polyline.before { stroke: #c2410c; } .band.before, text.before { fill: #c2410c; }
@media (prefers-color-scheme: dark) {
  text { fill: #eee; } .quiet { fill: #aaa; } .grid { stroke: #444; }
  polyline.after { stroke: #6cb6ff; } .band.after, text.after { fill: #6cb6ff; }
  polyline.before { stroke: #ffa657; } .band.before, text.before { fill: #ffa657; }
}
</style>"""


def plot(runs, title):
    """Learning curves as SVG: mean over the runs and the range between the lowest and the highest."""
    data = list(curves(runs))
    length = min(len(before) for before, _ in data)
    lines = {name: list(zip(*(pair[k][:length] for pair in data))) for k, name in enumerate(("before", "after"))}
    values = [v for rows in lines.values() for row in rows for v in row]
    width, height, left, right, top, bottom = 720, 320, 70, 130, 44, 52
    low, high = min(values + [0]), max(values + [0])
    high += 0.04 * (high - low)
    x = lambda i: left + (width - left - right) * (i - 1) / max(length - 1, 1)
    y = lambda v: top + (height - top - bottom) * (high - v) / (high - low)
    points = lambda vs: " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in vs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        STYLE,
        f'<text x="{left}" y="24" font-size="15" font-weight="bold">{title}</text>',
    ]
    for v in ticks(low, high):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>')
        parts.append(f'<text class="quiet" x="{left - 8}" y="{y(v) + 4.5:.1f}" text-anchor="end">{v:g}</text>')
    for i in [1] + [i for i in ticks(1, length) if i > 1]:
        parts.append(f'<text class="quiet" x="{x(i):.1f}" y="{height - bottom + 20}" text-anchor="middle">{i:g}</text>')
    middle = (left + width - right) / 2, (top + height - bottom) / 2
    parts.append(f'<text x="{middle[0]:.1f}" y="{height - 10}" text-anchor="middle">meta-iteration</text>')
    parts.append(f'<text transform="translate(18 {middle[1]:.1f}) rotate(-90)" text-anchor="middle">return per episode</text>')
    for name, label in ("before", "not adapted"), ("after", "after one step"):
        rows = list(enumerate(lines[name], 1))
        outline = [(i, max(row)) for i, row in rows] + [(i, min(row)) for i, row in reversed(rows)]
        mean = [(i, sum(row) / len(row)) for i, row in rows]
        parts.append(f'<polygon class="band {name}" points="{points(outline)}"/>')
        parts.append(f'<polyline class="{name}" fill="none" stroke-width="2" points="{points(mean)}"/>')
        parts.append(f'<text class="{name}" x="{width - right + 8}" y="{y(mean[-1][1]) + 4:.1f}">{label}</text>')
    parts.append(f'<text class="quiet" x="{width - 8}" y="{height - 10}" text-anchor="end">mean and range of {len(data)} seeds</text>')
    return "\n".join(parts + ["</svg>\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path, help="write the learning curves here instead, as SVG")
    parser.add_argument("--title", default="Return per episode during meta-training")
    args = parser.parse_args()
    if args.plot:
        args.plot.write_text(plot(args.runs, args.title))
    else:
        print("\n".join(row(run) for run in args.runs))


if __name__ == "__main__":
    main()
