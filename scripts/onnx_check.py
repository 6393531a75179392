#!/usr/bin/env python3
"""Runs exported graphs in onnxruntime and compares them with their cases, and the controller in onnxruntime of the examples.

    python3 -m venv venv && venv/bin/pip install -r scripts/onnx_requirements.txt
    METADRIFT_ONNX=/tmp/graphs cargo test --test program onnx
    venv/bin/python scripts/onnx_check.py /tmp/graphs/*

`scripts/check.sh onnx` does all three.

A policy's outputs must agree to 1e-5 of their size, an adaptation's parameters to 1e-6 of the length of the step or, of a
short one, to a rounding of f32 (6e-8). Shapes that do not fit, and too few episodes, must be refused. Exit code 1 if anything is
not so.
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def opened(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # faults are tried on purpose
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tensors(session, values):
    types = {value.name: TYPES[value.type] for value in session.get_inputs()}
    return {name: np.array(v["data"]).reshape(v["dims"]).astype(types[name]) for name, v in values.items()}


def refused(session, inputs, name, change):
    """True if the engine refuses the inputs after a change of one of them."""
    try:
        session.run(None, {**inputs, name: change(inputs[name])})
    except Exception:  # each fault has an exception of its own
        return True
    return False


def check(folder):
    """Faults of the graphs in a folder, and a line about them."""
    faults, told = [], []
    session = opened(folder / "policy.onnx")
    worst = 0.0
    for case in json.loads((folder / "policy.cases.json").read_text()):
        inputs = tensors(session, case["inputs"])
        found = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))
        for name, expected in case["outputs"].items():
            expected = np.array(expected["data"]).reshape(expected["dims"])
            if found[name].shape != expected.shape:
                faults.append(f"policy: {name} has the shape {found[name].shape}, not {expected.shape}")
                continue
            if name == "action" and found[name].dtype == np.int64:
                # a tie within rounding may fall either way
                sure = np.abs(np.diff(np.sort(found["probabilities"], axis=1)[:, -2:], axis=1))[:, 0] > 1e-5
                if (found[name] != expected)[sure].any():
                    faults.append("policy: another action")
                continue
            worst = max(worst, float(np.max(np.abs(found[name] - expected)) / max(1.0, np.max(np.abs(expected)))))
    if worst > 1e-5:
        faults.append(f"policy: outputs differ by {worst:.1e}")
    if not refused(session, inputs, "obs", lambda obs: obs[:, :-1]):
        faults.append("policy: an observation that is too short is not refused")
    told.append(f"policy {worst:.1e}")
    if (folder / "adapt.onnx").exists():
        session = opened(folder / "adapt.onnx")
        for case in json.loads((folder / "adapt.cases.json").read_text()):
            inputs = tensors(session, case["inputs"])
            began = time.perf_counter()
            (found,) = session.run(None, inputs)
            took = 1e3 * (time.perf_counter() - began)
            expected = np.array(case["outputs"]["adapted"]["data"])
            start = next(i for i in onnx.load(folder / "adapt.onnx").graph.initializer if i.name == "params")
            step = np.linalg.norm(expected - onnx.numpy_helper.to_array(start))
            apart = np.linalg.norm(found - expected) / step
            # a short step is no larger than a few roundings of its parameters
            if not apart <= max(1e-6, 6e-8 / step):
                faults.append(f"adapt: differs by {apart:.1e} of the step")
            told.append(f"adapt {apart:.1e} of a step of {step:.2g}, {took:.1f} ms")
            few = {name: value[:4] for name, value in inputs.items()}
            if not refused(session, few, "obs", lambda obs: obs):
                faults.append("adapt: too few episodes are not refused")
            if not refused(session, inputs, "reward", lambda reward: reward[:, :-1]):
                faults.append("adapt: another shape is not refused")
            if not refused(session, inputs, "length", lambda length: length + inputs["obs"].shape[1]):
                faults.append("adapt: a length beyond the data is not refused")
    return faults, ", ".join(told)


def controller():
    """Faults of the controller of the examples: it must notice that the motor was turned round, adapt, and go on as before."""
    script = pathlib.Path(__file__).parents[1] / "examples/onnx_controller/controller.py"
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if ran.returncode != 0:
        return [f"controller: {ran.stderr}"]
    parts = re.split(r"the motor is turned round\n|noticed a change\n", ran.stdout)
    if len(parts) != 3 or ran.stdout.index("turned") > ran.stdout.index("noticed"):
        return [f"controller: it has not noticed the change, or others\n{ran.stdout}"]
    before, collapsed, after = ([int(r) for r in re.findall(r"return (\d+)", part)] for part in parts)
    good = min(map(statistics.mean, (before, after))) > 400 and statistics.mean(collapsed) < 50 and len(collapsed) <= 2
    return [] if good else [f"controller: it has not gone on as before\n{ran.stdout}"]


def main():
    failed = False
    for fault in controller():
        failed = True
        print(fault)
    for folder in sys.argv[1:]:
        faults, told = check(pathlib.Path(folder))
        print(f"{pathlib.Path(folder).name}: {told}")
        for fault in faults:
            failed = True
            print(f"  {fault}")
    return 1 if failed or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
