#!/usr/bin/env python3
"""Puts the pictures of scripts/page_shots.mjs together: page_film.py SHOTS DOCS writes DOCS/page.png and DOCS/page.gif.

Needs Pillow. The names of the frames say when they were taken.
"""

import sys
from pathlib import Path

from PIL import Image

WIDTH = 720
COLOURS = 96


def sheet(shots):
    """The page after the flip and after the adaptation, light above dark."""
    rows = [[Image.open(shots / f"{scheme}-{number}.png").convert("RGB") for number in (2, 3)] for scheme in ("light", "dark")]
    width, height = (side // 2 for side in rows[0][0].size)
    whole = Image.new("RGB", (2 * width, 2 * height))
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (x * width, y * height))
    return whole


def film(shots):
    """The frames, all in the colours of three of them, with their durations in milliseconds."""
    paths = sorted((shots / "frames").glob("*.png"))
    times = [int(path.stem.split("-")[1]) for path in paths]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    height = WIDTH * pictures[0].height // pictures[0].width
    pictures = [picture.resize((WIDTH, height), Image.Resampling.LANCZOS) for picture in pictures]
    sample = Image.new("RGB", (WIDTH, 3 * height))
    for y, at in enumerate((2, len(pictures) // 2, -1)):
        sample.paste(pictures[at], (0, y * height))
    palette = sample.quantize(COLOURS, kmeans=COLOURS, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [min(400, max(20, after - before)) for before, after in zip(times, times[1:])] + [2500]
    return frames, durations


def main():
    shots, docs = (Path(argument) for argument in sys.argv[1:3])
    sheet(shots).save(docs / "page.png", optimize=True)
    frames, durations = film(shots)
    frames[0].save(docs / "page.gif", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)
    for name in ("page.png", "page.gif"):
        print(docs / name, (docs / name).stat().st_size)


if __name__ == "__main__":
    main()
