#!/usr/bin/env python3
"""Writes THIRD-PARTY.md: the crates that the program is built from and the libraries it loads, with their licences; and
python/THIRD-PARTY.md, the crates of the wheel, which goes into it.

    python3 scripts/third_party.py           writes the files
    python3 scripts/third_party.py --check   exits 1 if one is out of date

The list comes from `cargo metadata` and scripts/libtorch.lock. A crate whose licence is not permissive is an error.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "Unicode-3.0",
              "Unlicense", "Zlib"}

HEAD = """# Third-party software

This file is generated: `python3 scripts/third_party.py`.

## Libraries that the program loads

`./x` fetches them as Python wheels and unpacks them into `.libtorch`, each with its licence in
`.libtorch/*.dist-info/licenses/`. They are not part of this repository. Whoever passes them on passes on these texts too.

| package | version | licence |
|---|---|---|
{libraries}
NVIDIA's terms for the CUDA packages are the licence agreement for NVIDIA software development kits and its supplement,
which names the files that may be passed on; the other packages have terms of their own, in their licence files. Only the
first three packages are fetched without `./x setup --cuda`.

## Crates that are compiled into the program

The texts are in the sources that cargo keeps (`cargo vendor` collects them).

| crate | version | licence |
|---|---|---|
{crates}"""


WHEEL = """# Third-party software

This file is generated: `python3 scripts/third_party.py`. The module of this wheel is compiled from these crates.

| crate | version | licence |
|---|---|---|
{crates}"""


def permissive(licence):
    """True if every required part of a licence expression can be met by a permissive licence."""
    text = re.sub(r"\s+WITH\s+\S+", "", licence).replace("/", " OR ").strip()
    if text.startswith("(") and ")" in text:
        inner, rest = text[1:].split(")", 1)
        rest = rest.strip()
        return permissive(inner) and (not rest or rest.startswith("AND ") and permissive(rest[4:]))
    return all(any(one.strip() in PERMISSIVE for one in part.split(" OR ")) for part in text.split(" AND "))


def crates(package="metadrift", features="metadrift/torch"):
    """Packages that `package` links, without those for its build and its tests: name, version, licence."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--features={features}",
               "--filter-platform=x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    ours = set(metadata["workspace_members"])
    pending, seen = [one for one in ours if packages[one]["name"] == package], set()
    while pending:
        here = pending.pop()
        if here not in seen:
            seen.add(here)
            pending += [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    found = [packages[one] for one in seen - ours]
    return sorted((package["name"], package["version"], package["license"] or "none stated") for package in found)


def libraries():
    rows = [line.split() for line in (ROOT / "scripts/libtorch.lock").read_text().splitlines()]
    pinned = [row[1:3] for row in rows if row and not row[0].startswith("#")]
    return [(name, version, "BSD-3-Clause and others (LICENSE, NOTICE)" if name == "torch" else "NVIDIA's terms (licence file)")
            for name, version in pinned]


def table(rows):
    return "".join(f"| {name} | {version} | {licence} |\n" for name, version, licence in rows)


def documents():
    """The files and their texts."""
    linked, of_wheel = crates(), crates("metadrift-python", "")
    bad = [f"{name}: {licence}" for name, _, licence in linked + of_wheel if not permissive(licence)]
    if bad:
        sys.exit("not a permissive licence: " + ", ".join(bad))
    return {ROOT / "THIRD-PARTY.md": HEAD.format(libraries=table(libraries()), crates=table(linked)),
            ROOT / "python/THIRD-PARTY.md": WHEEL.format(crates=table(of_wheel))}


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    for file, text in documents().items():
        if not arguments:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            sys.exit(f"{file.relative_to(ROOT)} is out of date; run: python3 scripts/third_party.py")


if __name__ == "__main__":
    main(sys.argv[1:])
