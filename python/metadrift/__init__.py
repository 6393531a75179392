"""Meta-reinforcement learning on control tasks whose dynamics drift.

``metadrift`` on the command line is the program. In Python, :func:`load` opens a trained policy, and :mod:`metadrift.gym` has
the tasks as Gymnasium environments. The program needs no other package; policies need numpy, environments gymnasium:
``pip install metadrift[gym]``.
"""

import os
import sys
from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from .policy import Policy

__version__: str = _native.VERSION
__all__ = ["__version__", "load", "main", "presets"]


def main() -> None:
    """Run the program with the arguments of the process, and exit with its code."""
    import signal

    # Python's own handler only leaves a note for the interpreter, which does not run meanwhile
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.run(["metadrift", *sys.argv[1:]]))


def presets() -> dict[str, str]:
    """Return the names of the presets that have an environment, each with a line on its tasks."""
    return dict(_native.described_presets())


def load(
    path: "str | os.PathLike[str]", *, checkpoint: "str | int" = "last", lanes: "int | None" = None, seed: int = 0
) -> "Policy":
    """Open a trained policy: a run's folder, a folder that ``metadrift export`` has written, or its ``policy.bin``.

    ``checkpoint`` of a run is ``"last"``, ``"best"`` on held-out tasks, or an iteration. With ``lanes`` the policy acts on so
    many machines at once, and every array has a first axis of that length. ``seed`` names the random numbers of drawn actions.

    Raises FileNotFoundError if nothing is there, ValueError if it is no policy of this version.
    """
    from .policy import open_policy

    return open_policy(path, checkpoint=checkpoint, lanes=lanes, seed=seed)
