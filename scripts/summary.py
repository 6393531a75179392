"""One row of the README's results table for each run folder given: what its evaluations say.

    python3 scripts/summary.py runs/reproduce/cartpole-flip-0 ...
    python3 scripts/summary.py --plot docs/learning.svg runs/reproduce/cartpole-flip-*
"""

import argparse
import csv
import json
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
    """Per run: seed, and the returns before and after adaptation of every iteration."""
    for run in runs:
        seed = json.loads((run / "manifest.json").read_text())["seed"]
        with open(run / "metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        yield seed, [float(r["return/pre"]) for r in rows], [float(r["return/post"]) for r in rows]


def plot(runs, title):
    """Learning curves as SVG: thin lines before adaptation, bold ones after it."""
    data = list(curves(runs))
    width, height, left, top = 720, 300, 64, 40
    longest = max(len(pre) for _, pre, _ in data)
    values = [v for _, pre, post in data for v in pre + post]
    low, high = min(values + [0]), max(values + [0])
    x = lambda i: left + (width - left - 110) * i / max(longest - 1, 1)
    y = lambda v: top + (height - top - 44) * (high - v) / (high - low)
    line = lambda vs: " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(vs))
    colours = ["#1b6ca8", "#d1495b", "#2e933c", "#8a4fff", "#e08e00"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14" font-weight="bold">{title}</text>',
    ]
    for k in range(5):
        v = low + (high - low) * k / 4
        parts.append(f'<line x1="{left}" x2="{width - 110}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#555">{v:.0f}</text>')
    for k in range(5):
        i = round((longest - 1) * k / 4)
        parts.append(f'<text x="{x(i):.1f}" y="{height - 24}" text-anchor="middle" fill="#555">{i + 1}</text>')
    parts.append(f'<text x="{x(longest / 2):.1f}" y="{height - 8}" text-anchor="middle" fill="#555">meta-iteration</text>')
    for (seed, pre, post), colour in zip(data, colours * len(data)):
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1" opacity="0.6" points="{line(pre)}"/>')
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line(post)}"/>')
    pre_end, post_end = (sum(c[k][-1] for c in data) / len(data) for k in (1, 2))
    parts.append(f'<text x="{width - 104}" y="{y(post_end) + 4:.1f}" font-weight="bold">after one step</text>')
    parts.append(f'<text x="{width - 104}" y="{y(pre_end) + 4:.1f}">before</text>')
    for k, ((seed, _, _), colour) in enumerate(zip(data, colours * len(data))):
        parts.append(f'<text x="{width - 104}" y="{top + 100 + 16 * k}" fill="{colour}">seed {seed}</text>')
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
