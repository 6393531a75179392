"""Links of the documents lead to files and headings that are there."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path):
    """The text of a document without its blocks of code, in which a bracket is no link."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)


def anchors(path):
    """The names that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(path), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path):
    """The links of a document that lead nowhere."""
    for link in LINK.findall(prose(path)):
        if re.match(r"\w+:", link):
            continue
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or heading and target.suffix == ".md" and heading not in anchors(target):
            yield f"{path.relative_to(ROOT)}: {link}"


class Documents(unittest.TestCase):
    def test_links_lead_somewhere(self):
        names = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        self.assertIn("README.md", names)
        self.assertEqual([link for name in names for link in broken(ROOT / name)], [])


if __name__ == "__main__":
    unittest.main()
