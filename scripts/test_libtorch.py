"""Tests of libtorch.py with small made-up wheels; no network, no cargo."""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Stands in for pip: `python3 -m pip` finds it through PYTHONPATH. It "downloads" from the folder FAKE_REMOTE.
FAKE_PIP = """
import os, pathlib, shutil, sys, time
if "--version" in sys.argv:
    sys.exit(0)
dest = next(a for a in sys.argv if a.startswith("--dest="))[7:]
pins = next(a for a in sys.argv if a.startswith("--requirement="))[14:]
name = pathlib.Path(pins).read_text().split("==")[0].replace("-", "_")
with open(os.environ["FAKE_LOG"], "a") as log:
    print(name, file=log)
found = list(pathlib.Path(os.environ["FAKE_REMOTE"]).glob(name + "-*.whl"))
if not found:
    sys.exit("no network")
pathlib.Path(dest, found[0].name).write_bytes(b"half")
time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
shutil.copy(found[0], dest)
"""


def make_wheel(path, files, spoil=None):
    """A wheel with a RECORD; the file named by `spoil` gets another content than the RECORD says."""
    record, info = "", "-".join(path.name.split("-")[:2]) + ".dist-info"
    files = {**files, f"{info}/licenses/LICENSE": b"terms", f"{info}/METADATA": b"no"}
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
            wheel.writestr(name, b"spoilt" if name == spoil else content)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = Path(folder.name)
        self.root, self.remote, self.cache = base / "project", base / "remote", base / "cache/metadrift/wheels"
        (self.root / "scripts").mkdir(parents=True)
        self.remote.mkdir()
        (base / "fake").mkdir()
        (base / "fake/pip.py").write_text(FAKE_PIP)
        shutil.copy(HERE / "libtorch.py", self.root / "scripts")
        shutil.copy(HERE.parent / "Cargo.toml", self.root)
        self.make_torch()
        make_wheel(self.remote / "rt-1.0-py3-none-any.whl", {
            "nvidia/cu13/lib/libcudart.so.13": b"rt", "nvidia/cu13/lib/libcudart_static.a": b"no",
            "nvidia/cu13/include/cuda.h": b"no"})
        make_wheel(self.remote / "blas-3.0-py3-none-any.whl", {"nvidia/cu13/lib/libcublas.so.13": b"blas"})
        self.write_lock()
        own = ("LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_INCLUDE", "LIBTORCH_USE_PYTORCH", "LIBTORCH_BYPASS_VERSION_CHECK")
        self.log = base / "log"
        self.env = {key: value for key, value in os.environ.items() if key not in own}
        self.env.update(XDG_CACHE_HOME=str(base / "cache"), PYTHONPATH=str(base / "fake"),
                        FAKE_REMOTE=str(self.remote), FAKE_LOG=str(self.log))

    def make_torch(self, spoil=None):
        files = {f"torch/include/h{i}.h": b"header" for i in range(20)}
        for lib in "c10.so", "torch.so", "torch_cpu.so", "gomp.so.1", "torch_cuda.so", "torch_python.so":
            files["torch/lib/lib" + lib] = lib.encode() * 1000
        files["torch/__init__.py"] = b"raise SystemExit"
        make_wheel(self.remote / "torch-2.11.0-py3-none-any.whl", files, spoil)

    def write_lock(self):
        lines = ["# set package version file bytes sha256"]
        for variant, name in ("slim", "torch"), ("slim", "rt"), ("cuda", "blas"):
            path = next(self.remote.glob(name + "-*"))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{variant} {name} {path.name.split('-')[1]} {path.name} {path.stat().st_size} {digest}")
        (self.root / "scripts/libtorch.lock").write_text("\n".join(lines) + "\n")

    def start(self, *arguments, **env):
        # a shell starts what is in its background with SIGINT ignored, and so do its children
        return subprocess.Popen([sys.executable, str(self.root / "scripts/libtorch.py"), *arguments],
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                                env={**self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run_it(self, *arguments, status=0, **env):
        process = self.start(*arguments, **env)
        output = process.communicate()[0]
        self.assertEqual(process.returncode, status, output)
        return output

    def tree(self):
        base = self.root / ".libtorch"
        return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())

    def downloads(self):
        return self.log.read_text().split() if self.log.exists() else []

    def assert_ready(self):
        self.assertEqual(self.run_it("setup"), "")  # says nothing when there is nothing to do
        self.assertEqual((self.root / ".libtorch/torch/build-version").read_text(), "2.11.0\n")
        self.assertTrue((self.root / ".libtorch/torch/lib/libtorch_cpu.so").read_bytes())
        self.assert_no_leftovers()

    def assert_no_leftovers(self):
        self.assertFalse((self.root / ".libtorch.tmp").exists())
        self.assertFalse((self.root / ".libtorch.old").exists())
        self.assertEqual(list(self.cache.glob("part-*")), [])

    def test_slim_set_is_the_default_and_small(self):
        self.run_it("setup")
        self.assert_ready()
        others = [name for name in self.tree() if not name.startswith("torch/include/")]
        self.assertEqual(others, ["FILES", "STAMP", "nvidia/cu13/lib/libcudart.so.13",
                                  "rt-1.0.dist-info/licenses/LICENSE", "torch-2.11.0.dist-info/licenses/LICENSE",
                                  "torch/build-version", "torch/lib/libc10.so", "torch/lib/libgomp.so.1",
                                  "torch/lib/libtorch.so", "torch/lib/libtorch_cpu.so"])
        self.assertEqual(self.downloads(), ["torch", "rt"])

    def test_full_set_replaces_the_slim_one_and_serves_for_it(self):
        self.run_it("setup")
        self.run_it("setup", "--cuda")
        self.assertEqual(self.downloads(), ["torch", "rt", "blas"])
        self.assertIn("torch/lib/libtorch_cuda.so", self.tree())
        self.assertIn("nvidia/cu13/lib/libcublas.so.13", self.tree())
        self.assertNotIn("torch/lib/libtorch_python.so", self.tree())
        self.assert_ready()
        self.assertIn("torch/lib/libtorch_cuda.so", self.tree())

    def test_another_file_than_the_pinned_one_is_refused(self):
        make_wheel(self.remote / "rt-1.0-py3-none-any.whl", {"nvidia/cu13/lib/libcudart.so.13": b"evil"})
        self.assertIn("not the pinned file", self.run_it("setup", status=5))
        self.assertFalse((self.root / ".libtorch").exists())
        self.assertEqual([path.name for path in self.cache.glob("*.whl")], ["torch-2.11.0-py3-none-any.whl"])
        self.assert_no_leftovers()

    def test_same_size_but_other_content_in_the_cache_is_fetched_again(self):
        self.run_it("setup")
        wheel = self.cache / "rt-1.0-py3-none-any.whl"
        content = bytearray(wheel.read_bytes())
        content[40] ^= 1
        wheel.write_bytes(content)
        self.run_it("clean-libtorch")
        self.assertIn("not the pinned file", self.run_it("setup"))
        self.assertEqual(self.downloads(), ["torch", "rt", "rt"])
        self.assert_ready()

    def test_wheel_that_contradicts_its_record_is_refused(self):
        self.make_torch(spoil="torch/include/h7.h")
        self.write_lock()
        self.assertIn("torch/include/h7.h is not what the wheel's RECORD says", self.run_it("setup", status=5))
        self.assertFalse((self.root / ".libtorch").exists())
        self.assert_no_leftovers()

    def test_new_pins_replace_the_old_tree(self):
        self.run_it("setup")
        make_wheel(self.remote / "rt-1.0-py3-none-any.whl", {"nvidia/cu13/lib/libcudart.so.13": b"newer"})
        self.write_lock()
        self.run_it("setup")
        self.assertEqual((self.root / ".libtorch/nvidia/cu13/lib/libcudart.so.13").read_bytes(), b"newer")
        self.assert_ready()

    def test_offline_from_the_cache(self):
        self.run_it("setup")
        self.run_it("clean-libtorch")
        self.assertFalse((self.root / ".libtorch").exists())
        self.run_it("setup", "--offline")
        self.assertEqual(self.downloads(), ["torch", "rt"])
        self.assert_ready()

    def test_offline_from_a_folder(self):
        output = self.run_it("setup", "--offline", status=5)
        self.assertIn("--from", output)
        self.assertIn("torch-2.11.0-py3-none-any.whl", output)
        self.run_it("setup", "--offline", "--from", str(self.remote))
        self.assertEqual(self.downloads(), [])
        self.assertFalse(self.cache.exists())  # the wheels stay where they are: no second copy
        self.assert_ready()

    def test_no_network_names_the_ways_out(self):
        shutil.rmtree(self.remote)
        output = self.run_it("setup", status=5)
        self.assertIn("--offline --from", output)
        self.assert_no_leftovers()

    def test_no_pip(self):
        Path(self.env["PYTHONPATH"], "pip.py").write_text("raise SystemExit(1)")
        self.assertIn("apt install python3-pip", self.run_it("setup", status=5))

    def test_cache_that_cannot_be_written(self):
        self.cache.parent.mkdir(parents=True)
        self.cache.write_text("a file, not a folder")
        self.assertIn("XDG_CACHE_HOME", self.run_it("setup", status=5))

    def test_interrupted_download_is_redone(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGKILL:
            process = self.start("setup", FAKE_SECONDS="30")
            deadline = time.monotonic() + 20
            while not list(self.cache.glob("part-*/torch-*")) and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(number)
            process.wait()
            process.stdout.close()
            self.assertNotEqual(process.returncode, 0)
            self.assertFalse((self.root / ".libtorch").exists())
            if number != signal.SIGKILL:
                self.assert_no_leftovers()
        self.run_it("setup")
        self.assert_ready()

    def test_interrupted_unpack_is_redone(self):
        self.run_it("setup")
        stamp = (self.root / ".libtorch/STAMP").read_text()
        # as a kill leaves them: between the unpacking and the renames, and between the two renames
        for state in "half", "moved":
            half = self.root / ".libtorch.tmp"
            (half / "torch/lib").mkdir(parents=True)
            (half / "torch/lib/libc10.so").write_text("half")
            (half / "STAMP").write_text(stamp)
            if state == "half":
                (self.root / ".libtorch/STAMP").unlink()
            else:
                (self.root / ".libtorch").rename(self.root / ".libtorch.old")
            self.assertIn("unpacking", self.run_it("setup"))
            self.assert_ready()

    def test_two_at_once(self):
        both = [self.start("setup", FAKE_SECONDS="0.5") for _ in range(2)]
        outputs = [process.communicate()[0] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], outputs)
        self.assertEqual(sum("waiting" in output for output in outputs), 1, outputs)
        self.assertEqual(self.downloads(), ["torch", "rt"])
        self.assert_ready()

    def test_users_own_libtorch_wins(self):
        own = self.root.parent / "own"
        (own / "lib").mkdir(parents=True)
        self.assertIn("no libtorch_cpu", self.run_it("setup", status=5, LIBTORCH=str(own)))
        (own / "lib/libtorch_cpu.so").touch()
        self.assertEqual(self.run_it("setup", LIBTORCH=str(own)), "")
        for file, content in ("build-version", "{}+cu130\n"), ("version.py", "__version__ = '{}+cpu'\n"):
            (own / file).write_text(content.format("2.9.1"))
            self.assertIn("2.9.1", self.run_it("setup", status=5, LIBTORCH=str(own)))
            self.run_it("setup", LIBTORCH=str(own), LIBTORCH_BYPASS_VERSION_CHECK="1")
            (own / file).write_text(content.format("2.11.0"))
            self.run_it("setup", LIBTORCH=str(own))
            (own / file).unlink()
        self.run_it("setup", LIBTORCH_LIB=str(own), LIBTORCH_INCLUDE=str(own))
        self.assertFalse((self.root / ".libtorch").exists())
        self.assertEqual(self.downloads(), [])

    def test_users_own_pytorch_wins(self):
        info = Path(self.env["PYTHONPATH"], "torch-2.11.0.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Name: torch\nVersion: 2.11.0+cpu\n")
        self.assertEqual(self.run_it("setup", LIBTORCH_USE_PYTORCH="1"), "")
        (info / "METADATA").write_text("Name: torch\nVersion: 2.8.0\n")
        self.assertIn("2.8.0", self.run_it("setup", status=5, LIBTORCH_USE_PYTORCH="1"))
        self.assertFalse((self.root / ".libtorch").exists())

    def test_doctor(self):
        self.assertIn("MISSING: ./x setup", self.run_it("doctor", status=5))
        self.run_it("setup")
        self.assertIn("files are as unpacked", self.start("doctor").communicate()[0])  # status: the machine's tools
        (self.root / ".libtorch/torch/lib/libc10.so").write_text("changed")
        self.assertIn("1 changed", self.run_it("doctor", status=5))


class Platform(unittest.TestCase):
    def test_elsewhere_the_three_variables_are_named(self):
        code = ("import platform, sys; platform.machine = lambda: 'aarch64'; sys.path.insert(0, sys.argv[1]);"
                "import libtorch, pathlib; libtorch.current = lambda *_: None; sys.exit(libtorch.main(['setup']))")
        env = {key: value for key, value in os.environ.items() if not key.startswith("LIBTORCH")}
        done = subprocess.run([sys.executable, "-B", "-c", code, str(HERE)], stderr=subprocess.PIPE, text=True, env=env)
        self.assertEqual(done.returncode, 5)
        for name in "LIBTORCH ", "LIBTORCH_LIB ", "LIBTORCH_INCLUDE ", "aarch64":
            self.assertIn(name, done.stderr)


class Lock(unittest.TestCase):
    def test_every_pin_is_whole(self):
        rows = [line.split() for line in (HERE / "libtorch.lock").read_text().splitlines() if not line.startswith("#")]
        self.assertEqual(rows[0][:3], ["slim", "torch", "2.11.0"])
        for variant, name, version, file, size, digest in rows:
            self.assertIn(variant, ("slim", "cuda"))
            self.assertTrue(file.startswith(f"{name.replace('-', '_')}-{version}-"), file)
            self.assertTrue(file.endswith("x86_64.whl"), file)
            self.assertGreater(int(size), 10_000)
            self.assertRegex(digest, "^[0-9a-f]{64}$")


if __name__ == "__main__":
    unittest.main()
