"""Policies: they compute what training did, by the vectors of an export, and refuse what is wrong."""

import csv
import json
import shutil
import unittest

import numpy as np

import metadrift

import made

KINDS = (("cartpole-flip", "maml"), ("pendulum-flip", "maml"), ("cartpole-flip", "rl2"), ("cartpole-flip", "distill-window"))


def rows(file):
    """The lives of a file of vectors: lists of steps, each a dictionary of arrays by the prefix of their columns."""
    lives = {}
    with open(file, newline="") as lines:
        for row in csv.DictReader(lines):
            step = {"end": row["end"], "reward": np.float32(row["reward"])}
            for prefix in ("observation", "uniform", "command", "next_observation"):
                names = [name for name in row if name.rstrip("0123456789") == prefix]
                step[prefix] = np.array([row[name] for name in names], np.float32)
            lives.setdefault(row["life"], []).append(step)
    return list(lives.values())


def tell(policy, step):
    policy.outcome(step["reward"], step["next_observation"], step["end"] == "terminated", step["end"] == "stopped")


def same(action, command):
    return np.array_equal(np.atleast_1d(np.asarray(action, np.float32)), command)


class Vectors(unittest.TestCase):
    def test_the_most_likely_action_is_that_of_training_to_the_bit(self):
        for kind in KINDS:
            folder = made.export(*kind)
            for policy in (metadrift.load(folder), metadrift.load(made.run(*kind))):
                ticks = 0
                for life in rows(folder / "vectors/likely.csv"):
                    policy.begin()
                    for step in life:
                        self.assertTrue(same(policy.act(step["observation"]), step["command"]), kind)
                        tell(policy, step)
                        ticks += 1
                self.assertGreater(ticks, 5)
                self.assertEqual(policy.recorded, 0)

    def test_drawn_actions_and_a_step_of_adaptation_are_those_of_training_to_the_bit(self):
        for kind in KINDS:
            folder = made.export(*kind)
            policy = metadrift.load(folder)
            lives = rows(folder / "vectors/drawn.csv")
            for life in lives:
                for step in life:
                    action = policy.act(step["observation"], uniforms=step["uniform"])
                    self.assertTrue(same(action, step["command"]), kind)
                    tell(policy, step)
            adapted = folder / "vectors/adapted.csv"
            self.assertEqual(policy.adapts, adapted.exists(), kind)
            if policy.adapts:
                before = policy.params
                told = policy.adapt()
                expected = np.array(adapted.read_text().split()[1:], np.float32)
                self.assertTrue(np.array_equal(policy.params, expected), kind)
                self.assertEqual((told.episodes, told.samples), (len(lives), sum(map(len, lives))))
                change = np.linalg.norm(expected.astype(float) - before.astype(float))
                self.assertAlmostEqual(told.step_norm, change, places=5)
                policy.reset()
                self.assertTrue(np.array_equal(policy.params, before))

    def test_lanes_act_and_learn_as_one_policy_that_lives_through_all_of_it(self):
        lives = rows(made.export() / "vectors/drawn.csv")
        steps = min(map(len, lives))
        policy = metadrift.load(made.export(), lanes=len(lives))
        alone = metadrift.load(made.export())
        for life in lives:
            for t, step in enumerate(life[:steps]):
                alone.act(step["observation"], uniforms=step["uniform"])
                alone.outcome(step["reward"], step["next_observation"], False, t == steps - 1)
        for t in range(steps):
            column = {name: np.array([life[t][name] for life in lives]) for name in
                      ("observation", "uniform", "command", "reward", "next_observation")}
            actions = policy.act(column["observation"], uniforms=column["uniform"])
            self.assertEqual((actions.shape, actions.dtype), ((len(lives),), np.int64))
            self.assertTrue(np.array_equal(actions, column["command"][:, 0]))
            flags = np.zeros(len(lives), bool)
            policy.outcome(column["reward"], column["next_observation"], flags, flags)
        # episodes that go on count as stopped
        self.assertEqual(policy.adapt(), alone.adapt())
        self.assertTrue(np.array_equal(policy.params, alone.params))

    def test_the_seed_names_the_drawn_actions(self):
        obs = np.zeros(4, np.float32)
        draw = lambda seed: [int(metadrift.load(made.export(), seed=seed).act(obs, sample=True)) for seed in range(seed, seed + 32)]
        self.assertEqual(draw(1), draw(1))
        self.assertNotEqual(draw(1), draw(100))
        self.assertEqual(set(draw(1)), {0, 1})


class Refusals(unittest.TestCase):
    def refuses(self, error, pattern, call, *arguments, **named):
        with self.assertRaisesRegex(error, pattern):
            call(*arguments, **named)

    def test_wrong_arrays_name_the_array_and_what_belongs_there(self):
        policy = metadrift.load(made.export())
        self.refuses(ValueError, r"obs: shape \(3,\) where \(4,\) belongs", policy.act, np.zeros(3))
        self.refuses(TypeError, r"obs: dtype <U1 where .*float", policy.act, np.array(list("abcd")))
        self.refuses(TypeError, r"obs: dtype complex128", policy.act, np.zeros(4, complex))
        self.refuses(ValueError, "finite", policy.act, np.array([np.nan, 0, 0, 0]))
        self.refuses(ValueError, r"\[0, 1\)", policy.act, np.zeros(4), uniforms=[1.0, 0, 0, 0])
        self.refuses(RuntimeError, "without an action", policy.outcome, 1.0, np.zeros(4), False, False)
        self.refuses(RuntimeError, "no steps to learn from", policy.adapt)
        policy.act(np.zeros(4), sample=True)
        self.refuses(TypeError, "terminated: dtype float64 where bool belongs", policy.outcome, 1.0, np.zeros(4), 0.5, False)
        self.refuses(ValueError, "lanes", metadrift.load, made.export(), lanes=0)
        lanes = metadrift.load(made.export(), lanes=2)
        self.refuses(ValueError, r"obs: shape \(4,\) where \(2, 4\) belongs", lanes.act, np.zeros(4))
        memory = metadrift.load(made.export("cartpole-flip", "rl2"))
        self.refuses(ValueError, "does not adapt by gradient steps", memory.adapt)

    def test_a_place_without_a_policy_is_named(self):
        self.refuses(FileNotFoundError, "neither a run .* nor an export", metadrift.load, made.PLACE)
        self.refuses(FileNotFoundError, "nowhere", metadrift.load, made.PLACE / "nowhere")
        self.refuses(ValueError, "checkpoint: `newest`", metadrift.load, made.run(), checkpoint="newest")
        self.refuses(OSError, "77", metadrift.load, made.run(), checkpoint=77)
        self.refuses(ValueError, "is for runs", metadrift.load, made.export(), checkpoint=1)

    def test_a_damaged_policy_and_one_of_another_version_say_so(self):
        other = made.PLACE / "other"
        shutil.copytree(made.export(), other)
        policy = bytearray((other / "policy.bin").read_bytes())
        damaged = policy[:-5] + bytes([policy[-5] ^ 1]) + policy[-4:]
        (other / "policy.bin").write_bytes(damaged)
        self.refuses(ValueError, "damaged policy", metadrift.load, other)
        # the format's number stands behind the eight letters of its name
        (other / "policy.bin").write_bytes(policy[:8] + (9).to_bytes(4, "little") + policy[12:])
        self.refuses(ValueError, "format 9; this library reads format 1", metadrift.load, other)
        spec = json.loads((other / "spec.json").read_text())
        (other / "spec.json").write_text(json.dumps(spec | {"version": "7.0.0"}))
        both = f"written by metadrift 7.0.0, and this is metadrift {metadrift.__version__}: .*format 9"
        self.refuses(ValueError, both, metadrift.load, other)
        run = made.PLACE / "later"
        shutil.copytree(made.run(), run)
        manifest = json.loads((run / "manifest.json").read_text())
        (run / "manifest.json").write_text(json.dumps(manifest | {"version": "7.0.0"}))
        with open(run / "config.toml", "r+") as config:
            text = config.read()
            config.seek(0)
            config.write("new_key = 1\n" + text)
        self.refuses(ValueError, f"(?s)metadrift 7.0.0, and this is metadrift {metadrift.__version__}: .*new_key", metadrift.load, run)
