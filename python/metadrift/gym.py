"""The tasks of presets and task files as Gymnasium environments.

Importing this module registers an id for each preset, such as ``metadrift/cartpole-flip-v0``, for :func:`gymnasium.make` and
:func:`gymnasium.make_vec`. :class:`Env` and :class:`VectorEnv` take a file of your own as well.
"""

import os
from collections.abc import Sequence
from typing import Any

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode
    from gymnasium.vector.utils import batch_space
except ImportError as missing:
    raise ImportError("metadrift.gym needs gymnasium and numpy: pip install metadrift[gym]") from missing

from . import _native
from ._arrays import np, of_shape

__all__ = ["Env", "VectorEnv"]


class _Lanes:
    """Lanes with the arrays that they write into."""

    def __init__(self, tasks: Any, overrides: Sequence[str], split: str, count: int, per_task: int, episodes: "int | None",
                 mode: AutoresetMode) -> None:
        if isinstance(overrides, str):
            raise TypeError(f"overrides: {overrides!r} must be a list of texts such as 'task.horizon=200'")
        try:
            self.native = _native.Lanes(os.fspath(tasks), list(overrides), split, count, per_task, episodes, mode.value)
        except OverflowError:
            numbers = f"num_envs={count}, lanes_per_task={per_task}, episodes_per_task={episodes}"
            raise ValueError(f"{numbers}: one of them is negative or too large") from None
        self.count = count
        self.choices, self.width, bound = self.native.actions
        bounds = np.array(self.native.bounds, np.float32)
        self.observations = spaces.Box(bounds[:, 0], bounds[:, 1], dtype=np.float32)
        self.actions: Any = (
            spaces.Discrete(self.choices)
            if self.choices
            else spaces.Box(-bound, bound, (self.width,), np.float32)
        )
        self.names = self.native.varied
        self.obs = np.zeros((count, len(bounds)), np.float32)
        self.reward = np.zeros(count, np.float32)
        self.terminated = np.zeros(count, np.bool_)
        self.truncated = np.zeros(count, np.bool_)
        self.command = np.zeros(count * self.width, np.float32)
        self.shape = (count,) if self.choices else (count, self.width)
        ends = self.terminated.view(np.uint8), self.truncated.view(np.uint8)
        self.native.bind(self.command, self.obs, self.reward, *ends)

    def step(self, actions: Any, alone: bool = False) -> bool:
        """Step all lanes; return True if an episode has ended. ``alone``: the action of the only lane, without an axis of lanes."""
        actions = np.asarray(actions)
        shape = self.shape[1:] if alone else self.shape
        if actions.shape != shape or actions.dtype.kind not in ("iu" if self.choices else "fiu"):
            kinds, dtype = ("iu", np.int64) if self.choices else ("fiu", np.float32)
            of_shape("action" if alone else "actions", actions, shape, kinds, dtype)
        np.copyto(self.command, actions.reshape(-1), casting="unsafe")
        return self.native.step()

    def start(self, seed: "int | None") -> None:
        """Begin the lives of new tasks."""
        if seed is not None and not 0 <= seed < 2**64:
            raise ValueError(f"seed: {seed} must be 0 to 2^64 - 1")
        self.native.start(seed)

    def parameters(self) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Return the values of the varied channels, ``[count, varied]``."""
        values = np.zeros((self.count, len(self.names)))
        self.native.parameters(values)
        return values


def _refuse_options(options: "dict[str, Any] | None", known: tuple[str, ...]) -> None:
    for name in options or ():
        if name not in known:
            raise ValueError(f"options: there is no {name!r}; known are: {', '.join(known) or 'none'}")


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


class Env(gymnasium.Env):
    """One machine on the tasks of a preset or file.

    ``tasks`` is a preset's name or the path of a file that ends in ``.toml``; ``overrides`` are settings such as
    ``"task.horizon=200"``; ``split`` is ``"train"``, ``"in-dist"`` or ``"ood"``. Every ``episodes_per_task`` episodes another task
    begins; with None, a reset with a seed alone begins one. ``reset(seed=s)`` begins the first task of the seed, and a reset
    without one the next episode.

    ``info["parameters"]`` has the true values, in the next step, of the quantities in which tasks differ.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012, gymnasium's own form

    def __init__(self, tasks: Any, *, overrides: Sequence[str] = (), split: str = "train", episodes_per_task: "int | None" = 1,
                 render_mode: None = None) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode: {render_mode!r} is not there; `metadrift record` makes films")
        self.render_mode = None
        self._lanes = _Lanes(tasks, overrides, split, 1, 1, episodes_per_task, AutoresetMode.DISABLED)
        self._begun = False
        self.observation_space = self._lanes.observations
        self.action_space = self._lanes.actions

    @property
    def horizon(self) -> int:
        """Time limit of an episode (steps)."""
        return self._lanes.native.horizon

    def parameters(self) -> dict[str, float]:
        """Return the true values, in the next step, of the quantities in which tasks differ."""
        return dict(zip(self._lanes.names, self._lanes.parameters()[0].tolist(), strict=True))

    def reset(self, *, seed: "int | None" = None, options: "dict[str, Any] | None" = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: the first one of a seed's first task, or the next one."""
        _refuse_options(options, ())
        super().reset(seed=seed)
        if seed is not None or not self._begun:
            self._lanes.start(_fresh_seed() if seed is None else seed)
            self._begun = True
        else:
            self._lanes.native.restart(np.ones(1, np.uint8))
        return self._lanes.obs[0].copy(), {"parameters": self.parameters()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step; see :meth:`gymnasium.Env.step`."""
        lanes = self._lanes
        lanes.step(action, alone=True)
        info = {"parameters": self.parameters()}
        ends = bool(lanes.terminated[0]), bool(lanes.truncated[0])
        return lanes.obs[0].copy(), float(lanes.reward[0]), *ends, info


class VectorEnv(gymnasium.vector.VectorEnv):
    """Machines on the tasks of a preset or file, stepped together.

    ``tasks``, ``overrides`` and ``split`` are those of :class:`Env`. Each machine draws tasks of its own, another one every
    ``episodes_per_task`` episodes; with ``lanes_per_task`` and ``episodes_per_task=None``, neighbours share one that stays.
    ``autoreset_mode`` is any of Gymnasium's. With ``copy=False`` observations, rewards and ends are the same arrays in every step,
    written in place. A reset with a seed begins its first tasks, one without a seed the next ones.

    ``info["parameters"]`` of a reset has the true values of the quantities in which tasks differ, ``[num_envs]`` each; with
    ``info_parameters=True`` so has that of every step. :meth:`parameters` gives them at any time.
    """

    def __init__(self, tasks: Any, num_envs: int = 1, *, overrides: Sequence[str] = (), split: str = "train",
                 episodes_per_task: "int | None" = 1, lanes_per_task: int = 1,
                 autoreset_mode: "AutoresetMode | str" = AutoresetMode.NEXT_STEP, copy: bool = True,
                 info_parameters: bool = False, render_mode: None = None) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode: {render_mode!r} is not there; `metadrift record` makes films")
        mode = AutoresetMode(autoreset_mode)
        self._lanes = _Lanes(tasks, overrides, split, num_envs, lanes_per_task, episodes_per_task, mode)
        self._begun = False
        self.num_envs, self.copy, self.info_parameters, self.render_mode = num_envs, copy, info_parameters, None
        self.metadata = {"render_modes": [], "autoreset_mode": mode}
        self._same_step = mode is AutoresetMode.SAME_STEP
        self.single_observation_space = self._lanes.observations
        self.single_action_space = self._lanes.actions
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def horizon(self) -> int:
        """Time limit of an episode (steps)."""
        return self._lanes.native.horizon

    def parameters(self) -> "dict[str, np.ndarray[Any, np.dtype[np.float64]]]":
        """Return the true values, in the next step, of the quantities in which tasks differ, ``[num_envs]`` each."""
        columns = np.ascontiguousarray(self._lanes.parameters().T)
        return dict(zip(self._lanes.names, columns, strict=True))

    def reset(self, *, seed: Any = None, options: "dict[str, Any] | None" = None) -> tuple[Any, dict[str, Any]]:
        """Begin new tasks on all machines, or, with ``options["reset_mask"]``, the next episodes of those marked true.

        A list of seeds is mixed into one.
        """
        lanes = self._lanes
        _refuse_options(options, ("reset_mask",))
        if isinstance(seed, Sequence):
            if len(seed) != self.num_envs or None in seed:
                raise ValueError(f"seed: a list of seeds has {self.num_envs} whole numbers, one for each machine")
            seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        if options is not None and "reset_mask" in options:
            if seed is not None:
                raise ValueError("seed: a reset_mask begins episodes of running tasks, which have their seed; leave it out")
            mask = of_shape("options['reset_mask']", options["reset_mask"], (self.num_envs,), "b", np.bool_)
            lanes.native.restart(mask.view(np.uint8))
        else:
            super().reset(seed=seed)
            if seed is None and not self._begun:
                seed = _fresh_seed()
            lanes.start(seed)
            self._begun = True
        obs = lanes.obs.copy() if self.copy else lanes.obs
        return obs, {"parameters": self.parameters(), "_parameters": np.ones(self.num_envs, np.bool_)}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all machines; see :meth:`gymnasium.vector.VectorEnv.step`."""
        lanes = self._lanes
        ended = lanes.step(actions)
        info: dict[str, Any] = {}
        if ended and self._same_step:
            done = lanes.terminated | lanes.truncated
            last = np.empty_like(lanes.obs)
            lanes.native.last(last)
            final = np.full(self.num_envs, None, object)
            for lane in np.flatnonzero(done):
                final[lane] = last[lane]
            info.update(final_obs=final, _final_obs=done)
        if self.info_parameters:
            info.update(parameters=self.parameters(), _parameters=np.ones(self.num_envs, np.bool_))
        if self.copy:
            return lanes.obs.copy(), lanes.reward.copy(), lanes.terminated.copy(), lanes.truncated.copy(), info
        return lanes.obs, lanes.reward, lanes.terminated, lanes.truncated, info


def _register() -> None:
    for name in _native.preset_names():
        gymnasium.register(
            f"metadrift/{name}-v0",
            entry_point="metadrift.gym:Env",
            vector_entry_point="metadrift.gym:VectorEnv",
            kwargs={"tasks": name},
        )


_register()
