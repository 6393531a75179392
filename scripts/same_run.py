"""Two runs compared by their bytes, for the checks of several processes."""

import pathlib


def content(folder):
    """The bytes of a run that do not depend on time or machine."""
    folder = pathlib.Path(folder)
    last = max(folder.glob("checkpoints/step-*"))  # a stopped run has saved others in between
    files = [folder / "metrics.csv", folder / "metrics.jsonl", *sorted(last.iterdir()), *folder.glob("eval/in-dist.*")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def equal(one, other, what, evaluated=False):
    """Fails unless both runs have the same files, those of an evaluation among them if there was one."""
    one, other = content(one), content(other)
    differing = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    assert len(one) == (7 if evaluated else 5) and not differing, f"{what}: {differing}"
