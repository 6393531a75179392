"""Environments: Gymnasium's own checks, lock step with its environments, and the promises of the documents."""

import unittest
import warnings

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import metadrift
from metadrift.gym import Env, VectorEnv

import made

CHECKED = ("cartpole-nominal", "pendulum-nominal", "cartpole-flip", "pendulum-flip", "navigation", "cartpole-drift", "cartpole-full",
           "cartpole-delay-history", "double-integrator-aib", "complex-ode-aib", "cartpole-balance-aib")
PEERS = (("cartpole-nominal", "CartPole-v1"), ("pendulum-nominal", "Pendulum-v1"))


class Peers(unittest.TestCase):
    def test_gymnasiums_checker_is_content(self):
        for name in CHECKED:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                check_env(gymnasium.make(f"metadrift/{name}-v0").unwrapped, skip_render_check=True)
            unexpected = [str(one.message) for one in told if "infinity" not in str(one.message) and "Box" not in str(one.message)]
            self.assertEqual(unexpected, [], name)

    def test_spaces_are_those_of_gymnasium(self):
        for name, other in PEERS:
            ours, theirs = gymnasium.make(f"metadrift/{name}-v0"), gymnasium.make(other)
            self.assertEqual(ours.observation_space, theirs.observation_space)
            self.assertEqual(ours.action_space, theirs.action_space)

    def test_lanes_keep_step_with_gymnasiums_vector_environments(self):
        for name, other in PEERS:
            for mode in AutoresetMode:
                with self.subTest(name=name, mode=mode):
                    keep_step(self, name, other, mode)

    def test_make_vec_makes_lanes(self):
        env = gymnasium.make_vec("metadrift/cartpole-flip-v0", num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode="SameStep")
        self.assertEqual(env.metadata["autoreset_mode"], AutoresetMode.SAME_STEP)
        obs, info = env.reset(seed=1)
        self.assertEqual((obs.shape, obs.dtype, set(info)), ((3, 4), np.float32, {"parameters", "_parameters"}))


def keep_step(test, name, other, mode, lanes=64, ticks=230):
    """The same actions from the same states give the same observations, rewards and ends, and resets in the same ticks."""
    ours = VectorEnv(name, lanes, autoreset_mode=mode)
    theirs = gymnasium.make_vec(other, lanes, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    obs, _ = ours.reset(seed=3)
    theirs.reset(seed=3)
    pendulum = other.startswith("Pendulum")

    def follow(obs, which):
        for lane in which:
            env = theirs.envs[lane].unwrapped
            o = obs[lane].astype(np.float64)
            env.state = np.array([np.arctan2(o[1], o[0]), o[2]]) if pendulum else o

    follow(obs, range(lanes))
    rng = np.random.default_rng(0)
    ends = 0
    done = np.zeros(lanes, bool)
    for tick in range(ticks):
        if mode is AutoresetMode.DISABLED and done.any():
            obs, _ = ours.reset(options={"reset_mask": done})
            theirs.reset(options={"reset_mask": done})
            follow(obs, np.flatnonzero(done))
            done = np.zeros(lanes, bool)
        action = rng.uniform(-2, 2, (lanes, 1)).astype(np.float32) if pendulum else rng.integers(0, 2, lanes)
        obs, reward, terminated, truncated, info = ours.step(action)
        obs2, reward2, terminated2, truncated2, info2 = theirs.step(action)
        test.assertTrue(np.array_equal(terminated, terminated2) and np.array_equal(truncated, truncated2))
        # f32 against f64, rewards down to -16
        test.assertLess(np.abs(reward - reward2).max(), 5e-4)
        began = terminated | truncated if mode is AutoresetMode.SAME_STEP else done & (mode is AutoresetMode.NEXT_STEP)
        test.assertLess(np.abs(obs - obs2)[~began].max(initial=0), 5e-4)
        done = terminated | truncated
        ends += int(done.sum())
        if mode is AutoresetMode.SAME_STEP and done.any():
            test.assertTrue(np.array_equal(info["_final_obs"], info2["_final_obs"]))
            for lane in np.flatnonzero(done):
                test.assertLess(np.abs(info["final_obs"][lane] - info2["final_obs"][lane]).max(), 5e-4)
        # an upright pole doubles a difference every few ticks: ours is copied over now and then
        follow(obs, range(lanes) if tick % 10 == 0 else np.flatnonzero(began))
    test.assertGreaterEqual(ends, lanes)


class Promises(unittest.TestCase):
    def test_observations_stay_in_their_space_on_all_presets(self):
        for name in metadrift.presets():
            env = VectorEnv(name, 16)
            env.action_space.seed(1)
            obs, _ = env.reset(seed=1)
            for _ in range(150):
                self.assertTrue(env.observation_space.contains(obs), name)
                obs = env.step(env.action_space.sample())[0]

    def test_a_seed_names_tasks_and_states(self):
        one, other = VectorEnv("cartpole-flip", 8), VectorEnv("cartpole-flip", 8)
        first, told = one.reset(seed=5)
        second, told2 = other.reset(seed=5)
        self.assertTrue(np.array_equal(first, second))
        gains = told["parameters"]["actuator_gain"]
        self.assertTrue(np.array_equal(gains, told2["parameters"]["actuator_gain"]))
        self.assertEqual(set(np.sign(gains)), {-1.0, 1.0})
        self.assertFalse(np.array_equal(one.reset(seed=6)[0], first))
        following, _ = one.reset()
        self.assertFalse(np.array_equal(following, one.reset()[0]))
        one.reset(seed=6)
        self.assertTrue(np.array_equal(following, one.reset()[0]))
        # a lane does not depend on how many others there are
        wide, _ = VectorEnv("cartpole-flip", 32).reset(seed=5)
        self.assertTrue(np.array_equal(wide[:8], first))
        self.assertTrue(np.array_equal(one.reset(seed=[1, 2, 3, 4, 5, 6, 7, 8])[0], one.reset(seed=[1, 2, 3, 4, 5, 6, 7, 8])[0]))

    def test_a_machine_alone_is_the_first_lane_of_many(self):
        env = Env("cartpole-flip")
        lanes = VectorEnv("cartpole-flip", 1, autoreset_mode=AutoresetMode.SAME_STEP)
        obs, info = env.reset(seed=2)
        for gains in range(4):
            alone = info["parameters"]["actuator_gain"]
            many, told = (lanes.reset(seed=2) if gains == 0 else (many, {"parameters": lanes.parameters()}))
            self.assertEqual(alone, told["parameters"]["actuator_gain"][0])
            self.assertTrue(np.array_equal(obs, many[0]))
            done = False
            while not done:
                obs, reward, terminated, truncated, _ = env.step(1)
                many, reward2, *_, told = lanes.step(np.array([1]))
                done = terminated or truncated
                self.assertEqual(reward, reward2[0])
                self.assertTrue(np.array_equal(obs, told["final_obs"][0] if done else many[0]))
            obs, info = env.reset()

    def test_parameters_are_the_true_ones(self):
        # the gain scales and may turn round the force: a right push at rest accelerates the cart by gain * 10 N * 0.02 s / 1.1 kg, nearly
        env = Env("cartpole-flip")
        for seed in range(5):
            before, info = env.reset(seed=seed)
            after = env.step(1)[0]
            self.assertAlmostEqual((after[1] - before[1]) / 0.195, info["parameters"]["actuator_gain"], delta=0.05)
        # a drift: the values move with time, and the last info tells those of the next step
        env = VectorEnv("cartpole-drift", 4, info_parameters=True)
        _, info = env.reset(seed=1)
        first = info["parameters"]
        for _ in range(20):
            info = env.step(env.action_space.sample())[-1]
        self.assertTrue(any(not np.array_equal(first[name], info["parameters"][name]) for name in first))

    def test_tasks_change_after_their_episodes(self):
        for mode in AutoresetMode:
            for episodes in (1, 2, None):
                env = VectorEnv("cartpole-flip", 4, autoreset_mode=mode, episodes_per_task=episodes)
                env.reset(seed=1)
                gains, begun = [env.parameters()["actuator_gain"][0]], 1
                done = np.zeros(4, bool)
                while begun < 6:
                    before = done
                    if mode is AutoresetMode.DISABLED and done.any():
                        env.reset(options={"reset_mask": done})
                        begun += int(done[0])
                        before = done = np.zeros(4, bool)
                    _, _, terminated, truncated, _ = env.step(np.ones(4, int))
                    done = terminated | truncated
                    begun += int({AutoresetMode.SAME_STEP: done, AutoresetMode.NEXT_STEP: before}.get(mode, [0])[0])
                    gain = env.parameters()["actuator_gain"][0]
                    gains += [gain] if gain != gains[-1] else []
                self.assertEqual(len(gains), {1: 6, 2: 3, None: 1}[episodes], (mode, episodes))

    def test_lanes_share_a_task_and_buffers_if_asked(self):
        env = VectorEnv("cartpole-flip", 6, lanes_per_task=3, episodes_per_task=None, copy=False)
        obs, info = env.reset(seed=1)
        gains = info["parameters"]["actuator_gain"]
        self.assertEqual((len(set(gains[:3])), len(set(gains[3:])), len(set(gains))), (1, 1, 2))
        self.assertEqual(len({tuple(row) for row in obs}), 6)
        first = env.step(np.ones(6, int))
        second = env.step(np.ones(6, int))
        self.assertTrue(all(a is b for a, b in zip(first[:4], second[:4], strict=True)))

    def test_splits_overrides_and_files_are_those_of_the_program(self):
        file = made.PLACE / "mine.toml"
        file.write_text('name = "mine"\n[task]\nenv = "cartpole"\nhorizon = 7\nvary.gravity = { law = "uniform", low = 9.0, high = 11.0 }\n')
        env = Env(file)
        _, info = env.reset(seed=1)
        self.assertEqual((env.horizon, list(info["parameters"])), (7, ["gravity"]))
        self.assertTrue(9.0 <= info["parameters"]["gravity"] <= 11.0)
        steps = [env.step(t % 2) for t in range(7)]
        self.assertEqual([step[3] for step in steps], 6 * [False] + [True])
        self.assertEqual(Env(file, overrides=["task.horizon=9"]).horizon, 9)
        gains = [VectorEnv("cartpole-flip", 32, split=split).reset(seed=1)[1]["parameters"]["actuator_gain"] for split in ("in-dist", "ood")]
        self.assertFalse(set(gains[0]) & set(gains[1]))


class Refusals(unittest.TestCase):
    def refuses(self, error, pattern, call, *arguments, **named):
        with self.assertRaisesRegex(error, pattern):
            call(*arguments, **named)

    def test_what_cannot_be_made_is_refused_with_the_reason(self):
        self.refuses(ValueError, "no preset `cartpole-flop`; did you mean `cartpole-flip`", Env, "cartpole-flop")
        self.refuses(ValueError, "examples", Env, "sinusoid")
        self.refuses(ValueError, "`test` is none of train, in-dist, ood", Env, "cartpole-flip", split="test")
        self.refuses(ValueError, "task.horizn", Env, "cartpole-flip", overrides=["task.horizn=9"])
        self.refuses(TypeError, "must be a list", Env, "cartpole-flip", overrides="task.horizon=9")
        self.refuses(OSError, "nowhere.toml", Env, made.PLACE / "nowhere.toml")
        self.refuses(ValueError, "num_envs: 0", VectorEnv, "cartpole-flip", 0)
        self.refuses(ValueError, "episodes_per_task: 0", VectorEnv, "cartpole-flip", 1, episodes_per_task=0)
        self.refuses(ValueError, "episodes_per_task=None", VectorEnv, "cartpole-flip", 4, lanes_per_task=2)
        self.refuses(ValueError, "num_envs=-1.*negative or too large", VectorEnv, "cartpole-flip", -1)
        self.refuses(ValueError, "episodes_per_task=-1", Env, "cartpole-flip", episodes_per_task=-1)
        self.refuses(ValueError, "render_mode", Env, "cartpole-flip", render_mode="human")

    def test_wrong_actions_are_refused_and_nothing_is_stepped(self):
        env = VectorEnv("cartpole-flip", 2, autoreset_mode=AutoresetMode.DISABLED)
        self.refuses(RuntimeError, "call reset before the first step", env.step, np.zeros(2, int))
        env.reset(seed=1)
        self.refuses(ValueError, r"actions: shape \(3,\) where \(2,\) belongs", env.step, np.zeros(3, int))
        self.refuses(TypeError, "actions: dtype float64 where an integer type", env.step, np.zeros(2))
        self.refuses(ValueError, r"lane 1: action 2 is not in Discrete", env.step, np.array([0, 2]))
        self.refuses(ValueError, "lane 0: action -1", env.step, np.array([-1, 0]))
        self.refuses(TypeError, "reset_mask.*dtype int64 where bool", env.reset, options={"reset_mask": np.array([1, 0])})
        self.refuses(ValueError, "there is no 'mask'; known are: reset_mask", env.reset, options={"mask": 1})
        self.refuses(ValueError, "known are: none", Env("cartpole-flip").reset, options={"low": 1})
        self.refuses(ValueError, "reset_mask", env.reset, seed=1, options={"reset_mask": np.array([True, False])})
        self.refuses(ValueError, "seed: 18446744073709551616 must be", env.reset, seed=2**64)
        self.refuses(ValueError, "seed: a list", env.reset, seed=[1])
        while not any(env.step(np.ones(2, int))[2]):
            pass
        self.refuses(RuntimeError, "its episode has ended", env.step, np.ones(2, int))
        env = VectorEnv("pendulum-flip", 2)
        env.reset(seed=1)
        self.refuses(ValueError, "lane 1: action NaN", env.step, np.array([[0.0], [np.nan]]))

    def test_an_action_of_one_machine_is_refused_by_its_own_shape(self):
        env = Env("cartpole-flip")
        env.reset(seed=1)
        self.refuses(ValueError, r"^action: shape \(1,\) where \(\) belongs", env.step, np.array([1]))
        self.refuses(TypeError, "^action: dtype float64 where an integer type", env.step, 1.0)
        env = Env("pendulum-flip")
        env.reset(seed=1)
        self.refuses(ValueError, r"^action: shape \(\) where \(1,\) belongs", env.step, 0.5)
