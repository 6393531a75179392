"""Tests of ./x with a made-up cargo, program and libtorch; nothing is compiled or fetched."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CARGO = """#!/bin/sh
if [ "$1" = --version ]; then echo "cargo $FAKE_VERSION (0000000 2026-01-01)"; exit; fi
echo "$PWD: $*" >> "$FAKE_LOG"
echo "    Blocking waiting for file lock on build directory" >&2
mkdir -p target/release
printf '#!/bin/sh\\necho "in $PWD:" "$@"\\nexit ${FAKE_EXIT:-0}\\n' > target/release/metadrift
chmod +x target/release/metadrift
echo '{"reason":"compiler-artifact","executable":null}'
echo '{"reason":"compiler-artifact","executable":"'"$PWD"'/target/release/metadrift","fresh":true}'
"""


class X(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = Path(folder.name).resolve()
        self.root, self.caller, self.bin = base / "it's a project", base / "caller", base / "bin"
        self.own, self.log = base / "torch", base / "log"
        for path in self.root / "scripts", self.caller, self.bin, self.own / "lib":
            path.mkdir(parents=True)
        for name in "x", "Cargo.toml", "rust-toolchain.toml", "scripts/libtorch.py", "scripts/libtorch.lock":
            shutil.copy(ROOT / name, self.root / name)
        (self.own / "lib/libtorch_cpu.so").touch()
        (self.own / "build-version").write_text("2.11.0\n")
        self.program("cargo", CARGO)
        self.program("c++", "#!/bin/sh\necho c++ 12\n")
        self.program("ldd", f"#!/bin/sh\necho '	libtorch_cpu.so => {self.own}/lib/libtorch_cpu.so (0x0)'\n")
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(base / "home"), "FAKE_LOG": str(self.log),
                    "FAKE_VERSION": "1.95.0", "LIBTORCH": str(self.own)}

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run_x(self, *arguments, code=0, command=None, **env):
        command = command or self.root / "x"
        done = subprocess.run([command, *arguments], cwd=self.caller, env={**self.env, **env}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_the_program_runs_in_the_callers_folder(self):
        done = self.run_x("train", "my task.toml", "--quiet")
        self.assertEqual(done.stdout, f"in {self.caller}: train my task.toml --quiet\n")
        self.assertTrue(self.log.read_text().startswith(f"{self.root}: build"))
        (self.caller / "link").symlink_to(self.root / "x")
        self.assertEqual(self.run_x("help", command="./link").stdout, f"in {self.caller}: help\n")

    def test_the_programs_exit_code_is_passed_on(self):
        self.run_x("train", "x", code=7, FAKE_EXIT="7")

    def test_that_cargo_waits_is_shown(self):
        self.assertIn("Blocking waiting", self.run_x("help").stderr)
        self.assertNotIn("--quiet", self.log.read_text())

    def test_a_failed_build_runs_nothing(self):
        self.program("cargo", "#!/bin/sh\n[ \"$1\" = --version ] && echo cargo 1.95.0 && exit\nexit 101\n")
        self.assertEqual(self.run_x("help", code=101).stdout, "")

    def test_relative_paths_in_the_environment_mean_the_callers_folder(self):
        (self.caller / "torch").symlink_to(self.own)
        self.program("cargo", CARGO.replace("mkdir", 'echo "libtorch $LIBTORCH" >> "$FAKE_LOG"\nmkdir', 1))
        self.run_x("help", LIBTORCH="torch")
        self.assertIn(f"libtorch {self.caller}/torch\n", self.log.read_text())

    def test_libtorch_is_used_from_its_setup_on(self):
        own = self.env["LIBTORCH"]
        self.env["LIBTORCH"] = str(self.bin / "none")
        self.run_x("help")
        self.assertNotIn("--features", self.log.read_text())
        self.assertIn("nothing to set up", self.run_x("setup").stderr)
        self.assertIn("--torch or --cuda", self.run_x("setup", "--offline", code=5).stderr)
        self.assertIn("usage", self.run_x("setup", "--help").stdout)
        self.assertFalse((self.root / ".torch").exists())
        self.env["LIBTORCH"] = own
        self.run_x("setup", "--torch")
        self.run_x("help")
        self.assertIn("-p metadrift --features torch", self.log.read_text())
        self.run_x("clean-libtorch")
        self.log.unlink()
        self.run_x("help")
        self.assertNotIn("--features", self.log.read_text())

    def test_an_old_rust_is_refused(self):
        for command in "train", "test", "install":
            done = self.run_x(command, code=5, FAKE_VERSION="1.63.0")
            self.assertIn("cargo 1.63.0 is too old", done.stderr)
        self.assertFalse(self.log.exists())
        self.run_x("help", FAKE_VERSION="1.100.0")
        self.assertIn("cargo 1.63.0 is too old", self.run_x("doctor", code=5, FAKE_VERSION="1.63.0").stderr)
        self.run_x("setup", "--torch")
        self.assertIn("TOO OLD: cargo 1.63.0", self.run_x("doctor", code=5, FAKE_VERSION="1.63.0").stdout)

    def test_a_build_fetches_no_toolchain(self):
        pinned = re.search('^channel = "(.*)"', (ROOT / "rust-toolchain.toml").read_text(), re.MULTILINE).group(1)
        self.program("cargo", CARGO.replace("mkdir", 'echo "rust ${RUSTUP_TOOLCHAIN-}" >> "$FAKE_LOG"\nmkdir', 1))
        for installed, default, chosen in [
            ("stable-a (active, default)", "stable-a (default)", "stable-a"),
            (f"stable-a (default)\n{pinned}-a", "stable-a (default)", f"{pinned}-a"),
            ("no installed toolchains", "", ""),
        ]:
            listed = f"#!/bin/sh\n[ \"$1\" = default ] && echo '{default}' || echo '{installed}'\n"
            self.program("rustup", listed)
            self.log.unlink(missing_ok=True)
            self.run_x("help")
            self.assertIn(f"rust {chosen}\n", self.log.read_text())
            self.run_x("help", RUSTUP_TOOLCHAIN="nightly")
            self.assertIn("rust nightly\n", self.log.read_text())

    def test_install(self):
        self.run_x("setup", "--torch")
        self.assertIn("not in PATH", self.run_x("install").stderr)
        command = Path(self.env["HOME"], ".local/bin/metadrift")
        done = self.run_x("presets", "list", command=command)
        self.assertEqual(done.stdout, f"in {self.caller}: presets list\n")
        self.run_x("install")  # again, over its own file
        self.run_x("install", "here")
        self.assertTrue((self.caller / "here/metadrift").exists())
        # what is missing is named, with the exit code of a missing libtorch
        (self.own / "lib/libtorch_cpu.so").rename(self.own / "lib/lost")
        self.assertIn("libtorch_cpu.so is not there. Run: ", self.run_x("doctor", code=5, command=command).stderr)
        (self.own / "lib/lost").rename(self.own / "lib/libtorch_cpu.so")
        shutil.rmtree(self.root / "target")
        self.assertIn("metadrift is not there. Run: ", self.run_x("doctor", code=5, command=command).stderr)
        self.root.rename(self.root.with_name("elsewhere"))
        self.assertIn("was moved or removed", self.run_x("--version", code=5, command=command).stderr)

    def test_install_overwrites_nothing_of_others(self):
        self.program("metadrift", "#!/bin/sh\necho mine\n")
        self.assertIn("is there already", self.run_x("install", str(self.bin), code=5).stderr)
        self.assertEqual(self.run_x(command=self.bin / "metadrift").stdout, "mine\n")
        self.assertEqual(self.run_x("install", "a", "b", code=2).stdout, "")

    def test_a_lost_libtorch_is_named(self):
        self.run_x("setup", "--torch")
        (self.own / "lib/libtorch_cpu.so").unlink()
        for command in ["train"], ["install"], ["setup", "--torch"]:
            self.assertIn("has no libtorch_cpu", self.run_x(*command, code=5).stderr)

    def test_doctor_asks_the_program_too(self):
        self.assertIn("not built yet", self.run_x("doctor").stdout)
        self.run_x("help")
        self.assertIn("./x setup --torch", self.run_x("doctor").stdout)
        self.run_x("setup", "--torch")
        out = self.run_x("doctor").stdout
        self.assertIn("python", out)
        self.assertTrue(out.endswith(f"in {self.caller}: doctor\n"), out)

    def test_doctor_is_quiet_when_its_reader_leaves(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([self.root / "x", "doctor"], cwd=self.caller, env=self.env, stdout=writer,
                              stderr=subprocess.PIPE, text=True)
        os.close(writer)
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
