"""Trained policies on numpy arrays."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from . import _native
from ._arrays import np, of_shape

__all__ = ["Adapted", "Policy", "open_policy"]


class Adapted(NamedTuple):
    """The change of a policy by one step of adaptation."""

    episodes: int
    """Number of episodes that it learned from."""
    samples: int
    """Number of their steps."""
    mean_return: float
    """Mean sum of rewards of an episode."""
    step_norm: float
    """Euclidean length of the change of the parameters."""


class Policy:
    """A trained policy: it acts, is told what follows, and adapts. :func:`metadrift.load` opens one.

    Without lanes, an observation is ``[obs_dim]``, an action a number or ``[act_dim]``; with lanes every array has a first axis
    ``[lanes]``. Lanes are machines of one kind: each has a memory of its own, and all learn together.
    """

    def __init__(self, native: _native.Policy, batched: bool) -> None:
        self._native = native
        self._batched = batched
        self._lanes, self.obs_dim, self._width = native.shape
        self._choices, self._bound = native.commands

    @property
    def lanes(self) -> "int | None":
        """Number of machines; None if arrays have no such axis."""
        return self._lanes if self._batched else None

    @property
    def num_actions(self) -> "int | None":
        """Number of choices; None if an action is a vector."""
        return self._choices or None

    @property
    def bound(self) -> "float | None":
        """Largest magnitude of a vector's components, in the command's unit; None if an action is a choice."""
        return self._bound or None

    @property
    def remembers(self) -> bool:
        """True if it adapts while it acts, and needs every outcome."""
        return self._native.remembers

    @property
    def adapts(self) -> bool:
        """True if it adapts by gradient steps, between episodes."""
        return self._native.adaptation is not None

    @property
    def episodes_per_step(self) -> int:
        """Number of episodes, of all lanes together, that one step of adaptation learned from in training; 0 without steps."""
        return (self._native.adaptation or (0, 0, 0))[0]

    @property
    def recorded(self) -> int:
        """Number of steps recorded since the last adaptation."""
        return self._native.recorded

    @property
    def params(self) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """A copy of the parameters as they are now, ``[num_params]``."""
        return np.frombuffer(self._native.params, np.float32)

    def act(self, obs: Any, *, sample: bool = False, uniforms: Any = None) -> Any:
        """Return the action for ``obs``: the most likely one, or one drawn from the policy's distribution.

        A policy learns from drawn actions only. ``uniforms``, ``[4]``, are numbers in ``[0, 1)`` to draw by, in place of the
        policy's own: for tests.
        """
        obs = self._array("obs", obs, (self.obs_dim,))
        if uniforms is not None:
            uniforms = self._array("uniforms", uniforms, (4,))
        command = np.empty((self._lanes, self._width), np.float32)
        self._native.act(obs, command, bool(sample) or uniforms is not None, uniforms)
        if self._choices:
            chosen = command[:, 0].astype(np.int64)
            return chosen if self._batched else chosen[0]
        return command if self._batched else command[0]

    def outcome(self, reward: Any, obs: Any, terminated: Any, truncated: Any) -> None:
        """Tell what followed the last action: the reward, the observation after it, and whether the episode ended.

        ``obs`` is the step's own observation, never the first one of the next episode. Steps with a drawn action are recorded
        for :meth:`adapt`.
        """
        flags = (self._array(name, flag, (), "b", np.bool_).view(np.uint8) for name, flag in
                 (("terminated", terminated), ("truncated", truncated)))
        self._native.outcome(self._array("reward", reward, ()), self._array("obs", obs, (self.obs_dim,)), *flags)

    def adapt(self) -> Adapted:
        """Take one gradient step on the recorded episodes, and forget them; the policy acts by the new parameters.

        Give it as many episodes as in training: :attr:`episodes_per_step`.

        Raises RuntimeError if nothing was recorded, ValueError if the policy takes no gradient steps.
        """
        return Adapted(*self._native.adapt())

    def begin(self) -> None:
        """Begin a new life: forget the memory and the recorded steps. Parameters stay."""
        self._native.begin()

    def reset(self) -> None:
        """Take all adaptation back, and begin a new life."""
        self._native.reset()

    def _array(self, name: str, value: Any, shape: tuple[int, ...], kinds: str = "fiu", dtype: Any = np.float32) -> Any:
        expected = (self._lanes, *shape) if self._batched else shape
        return of_shape(name, value, expected, kinds, dtype).reshape(self._lanes, *shape)

    def __repr__(self) -> str:
        kind = f"{self._choices} choices" if self._choices else f"{self._width} numbers within {self._bound}"
        way = "gradient steps" if self.adapts else "memory" if self.remembers else "nothing"
        return f"<metadrift.Policy: {self.obs_dim} observations to {kind}, adapts by {way}, lanes={self.lanes}>"


def open_policy(path: "str | os.PathLike[str]", *, checkpoint: "str | int", lanes: "int | None", seed: int) -> Policy:
    """Do the work of :func:`metadrift.load`."""
    if lanes is not None and lanes < 1:
        raise ValueError(f"lanes: {lanes} must be at least 1, or None for arrays without that axis")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: {seed} must be 0 to 2^64 - 1")
    place = Path(path)
    file = place / "policy.bin" if place.is_dir() else place
    count, batched = lanes or 1, lanes is not None
    try:
        if place.is_dir() and not file.exists():
            if not (place / "config.toml").exists():
                raise FileNotFoundError(f"{place}: neither a run (config.toml) nor an export (policy.bin)")
            return Policy(_native.Policy.of_run(place, str(checkpoint), count, seed), batched)
        if checkpoint != "last":
            raise ValueError(f"checkpoint={checkpoint!r} is for runs; an export holds one policy")
        return Policy(_native.Policy.of_file(file.read_bytes(), count, seed), batched)
    except ValueError as refused:
        other = written_by(place if place.is_dir() else place.parent)
        if other in (None, _native.VERSION):
            raise ValueError(f"{place}: {refused}") from None
        reason = f"{place}: written by metadrift {other}, and this is metadrift {_native.VERSION}: {refused}"
        raise ValueError(reason) from None


def written_by(folder: Path) -> "str | None":
    """Return the version of metadrift that has written a run or an export, if it says so."""
    for name in ("manifest.json", "spec.json"):
        try:
            return str(json.loads((folder / name).read_text())["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
