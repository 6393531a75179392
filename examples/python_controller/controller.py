#!/usr/bin/env python3
"""A cart-pole whose motor is turned round while it runs. The controller notices, adapts, and goes on.

    cargo build --release -p metadrift-runtime-c
    python3 controller.py ../../target/release/libmetadrift_c.so ../c_controller/policy.bin

It needs Python's standard library alone; the functions of the library are described in metadrift.h.
"""
import ctypes
import math
import sys

STEPS, EPISODES, TURNED = 500, 24, 10  # the motor is turned before episode 10
GOING, TERMINATED, STOPPED = 0, 1, 2
PREDICTION, CUSUM, THRESHOLD = 1, 0, ctypes.c_double(40.0)
FOUR, ONE = ctypes.c_float * 4, ctypes.c_float * 1
library = ctypes.CDLL(sys.argv[1])
library.metadrift_error.restype = ctypes.c_char_p
library.metadrift_episodes_per_step.restype = ctypes.c_size_t


class Adapted(ctypes.Structure):
    _fields_ = [("episodes", ctypes.c_size_t), ("samples", ctypes.c_size_t),
                ("mean_return", ctypes.c_double), ("step_norm", ctypes.c_double)]


def call(name, *arguments):
    # a size fills its register; an enum is content with the half of one
    sizes = (ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments)
    if getattr(library, "metadrift_" + name)(*sizes) != 0:
        sys.exit("metadrift: " + library.metadrift_error().decode())


class Plant:
    """CartPole-v1 of Gymnasium: a step of 0.02 s under a push of 10 N to one side or the other."""
    gain = 1.0  # of the motor; the controller does not know it

    def step(self, s, command):
        force, c, sine = self.gain * (10.0 if command > 0.5 else -10.0), math.cos(s[2]), math.sin(s[2])
        temp = (force + 0.05 * s[3] ** 2 * sine) / 1.1
        theta_acc = (9.8 * sine - c * temp) / (0.5 * (4 / 3 - 0.1 * c * c / 1.1))
        accelerations = s[1], temp - 0.05 * theta_acc * c / 1.1, s[3], theta_acc
        s = FOUR(*(x + 0.02 * change for x, change in zip(s, accelerations)))
        return s, abs(s[0]) > 2.4 or abs(s[2]) > 0.2094395


class Controller:
    def __init__(self, file):
        self.policy, self.detector, self.tick = ctypes.c_void_p(), ctypes.c_void_p(), 0
        call("open", file, len(file), ctypes.byref(self.policy))
        call("detector_open", self.policy, PREDICTION, CUSUM, THRESHOLD, ctypes.byref(self.detector))
        self.episodes = library.metadrift_episodes_per_step(self.policy)
        call("room", self.policy, self.episodes * STEPS)

    def uniforms(self):
        self.tick += 1
        call("uniforms", 7, self.tick, numbers := FOUR())
        return numbers

    def episode(self, plant, learns):
        """The return of an episode, and whether the world has changed in it."""
        state, command, alarm, changed = FOUR(*(0.1 * u - 0.05 for u in self.uniforms())), ONE(), ctypes.c_int(), False
        for step in range(1, STEPS + 1):
            before = state
            if learns:
                call("sample", self.policy, before, 4, self.uniforms(), command, 1)
            else:
                call("act", self.policy, before, 4, command, 1)
            state, fallen = plant.step(before, command[0])
            call("detector_step", self.detector, before, 4, command, 1, state, ctypes.byref(alarm))
            changed |= alarm.value != 0
            end = TERMINATED if fallen else STOPPED if step == STEPS else GOING
            if learns:
                call("record", self.policy, ctypes.c_float(1.0), state, 4, end)
            if end != GOING:
                return step, changed

    def adapt(self, plant):
        """Takes the adaptation back, tries things out for as many episodes as in training, and adapts to them."""
        call("reset", self.policy)
        for _ in range(self.episodes):
            self.episode(plant, learns=True)
        call("adapt", self.policy, ctypes.byref(adapted := Adapted()))
        print(f"adapted to {adapted.episodes} episodes of mean return {adapted.mean_return:.1f}")


plant, controller = Plant(), Controller(open(sys.argv[2], "rb").read())
controller.adapt(plant)
for k in range(EPISODES):
    if k == TURNED:
        plant.gain = -1.0
        print("the motor is turned round")
    earned, changed = controller.episode(plant, learns=False)
    print(f"episode {k:2}: return {earned}")
    if changed:
        print("noticed a change")
        controller.adapt(plant)
