"""Every test that docs/pitfalls.md names exists."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Pitfalls(unittest.TestCase):
    def test_every_named_test_is_there(self):
        folders = [ROOT / name for name in ("agents", "envs", "page", "random", "runtime", "runtime-c", "src", "tests")]
        code = "\n".join(path.read_text() for folder in folders for path in sorted(folder.rglob("*.rs")))
        rows = [row for row in (ROOT / "docs" / "pitfalls.md").read_text().splitlines() if row.startswith("| ")]
        named = [name for row in rows for name in re.findall(r"`([a-z0-9_]{12,})`", row)]
        self.assertGreater(len(named), 25)
        tests = set(re.findall(r"#\[test\]\n(?:\s*#\[[^\n]*\]\n)*\s*fn ([a-z0-9_]+)", code))
        self.assertEqual([name for name in named if name not in tests], [])


if __name__ == "__main__":
    unittest.main()
