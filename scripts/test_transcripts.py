"""Tests of transcripts.py and of the plot in summary.py, with a made-up program."""

import csv
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import summary
import transcripts

PROGRAM = """#!/bin/sh
echo "Training" >&2
for k in 1 2 3; do echo "iter    $k/3  return 2$k.0 -> 3$k.0 (+10.0)  kl 0.000  63k steps/s  0.$k s" >&2; done
"""


class Transcripts(unittest.TestCase):
    def test_a_transcript_has_no_times_and_replaces_the_old_one(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "program")
            program.write_text(PROGRAM)
            program.chmod(0o755)
            lines = transcripts.train([str(program)], Path(folder, "run"), 0, [])
        new = transcripts.transcript(lines)
        self.assertIn("\niter    1/3  return 21.0 -> 31.0 (+10.0)  kl 0.000  …\niter    3/3", new)
        self.assertNotIn("steps/s", new)
        old = f"before\n{transcripts.BEGIN}old\n{transcripts.END}\nafter\n"
        self.assertEqual(transcripts.with_transcript(old, new), f"before\n{new}\nafter\n")

    def test_the_readme_has_a_place_for_it(self):
        text = transcripts.README.read_text()
        self.assertEqual((text.count(transcripts.BEGIN), text.count(transcripts.END)), (1, 1))


class Plot(unittest.TestCase):
    def test_axes_have_round_numbers(self):
        self.assertEqual(summary.ticks(0, 519), [0, 200, 400])
        self.assertEqual(summary.ticks(1, 160), [50, 100, 150])
        self.assertEqual(summary.ticks(-1600, 0), [-1500, -1000, -500, 0])

    def test_a_plot_shows_mean_and_range_of_the_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = [Path(folder, str(seed)) for seed in range(2)]
            for seed, run in enumerate(runs):
                run.mkdir()
                with open(run / "metrics.csv", "w", newline="") as file:
                    rows = csv.writer(file)
                    rows.writerow(["return/unadapted", "return/post"])
                    rows.writerows([[20 + seed, 100 * k + 10 * seed] for k in range(1, 5)])
            picture = xml.fromstring(summary.plot(runs, "title"))
        lines = [e for e in picture.iter() if e.tag.endswith("polyline")]
        self.assertEqual([len(line.get("points").split()) for line in lines], [4, 4])
        height = [float(point.split(",")[1]) for point in lines[1].get("points").split()]
        self.assertAlmostEqual(height[0] - height[1], height[1] - height[2], places=0)  # the mean: 105, 205, 305, 405
        texts = [e.text for e in picture.iter() if e.tag.endswith("text")]
        for text in "return per episode", "meta-iteration", "not adapted", "after one step", "mean and range of 2 seeds":
            self.assertIn(text, texts)


if __name__ == "__main__":
    unittest.main()
