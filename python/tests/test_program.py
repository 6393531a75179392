"""The program, as the package starts it."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

import metadrift

import made


class Program(unittest.TestCase):
    def test_it_has_the_version_of_the_package(self):
        self.assertEqual(made.succeeds("--version").split(), ["metadrift", metadrift.__version__])

    def test_the_command_is_installed_and_starts_without_numpy(self):
        # a module that cannot be imported stands in for one that is not installed
        hidden = "import sys; sys.modules['numpy'] = None; sys.argv = ['x', 'presets', 'list']; import metadrift; metadrift.main()"
        done = subprocess.run([sys.executable, "-c", hidden], text=True, capture_output=True, check=True)
        self.assertIn("cartpole-flip", done.stdout)
        command = os.path.join(os.path.dirname(sys.executable), "metadrift")
        listed = subprocess.run([command, "presets", "list"], text=True, capture_output=True, check=True)
        self.assertEqual(listed.stdout, done.stdout)

    def test_a_run_names_its_command_line_and_its_version(self):
        manifest = json.loads((made.run() / "manifest.json").read_text())
        self.assertEqual(manifest["command"][:3], ["metadrift", "train", "cartpole-flip"])
        self.assertEqual((manifest["version"], manifest["state"]), (metadrift.__version__, "finished"))

    def test_exit_codes_are_those_of_the_program(self):
        for arguments, code in ((["trian"], 2), (["train", "cartpole-flop"], 3), (["evaluate", "nowhere"], 4)):
            done = made.program(*arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_an_interrupt_saves_the_run_and_ends_with_130(self):
        folder = made.PLACE / "interrupted"
        command = [sys.executable, "-m", "metadrift", "train", "pendulum-flip", "--iterations", "100000", "--run-dir", str(folder)]
        running = subprocess.Popen(command, cwd=made.PLACE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(running.kill)
        until = time.monotonic() + 60
        while not list(folder.glob("checkpoints/*")) and time.monotonic() < until:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        self.assertEqual(running.wait(60), 130)
        self.assertEqual(json.loads((folder / "manifest.json").read_text())["state"], "interrupted")
