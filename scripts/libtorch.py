#!/usr/bin/env python3
"""Puts libtorch where cargo looks for it: .libtorch/torch in the project root.

The wheels named in libtorch.lock come through `pip download` (so pip's own settings for registries, proxies
and certificates hold), are checked against their SHA-256, kept in a cache, and unpacked file by file against
the wheel's RECORD. Python's standard library only. Usually called by ./x; see docs/setup.md.
"""

import argparse
import base64
import contextlib
import csv
import fcntl
import hashlib
import importlib.metadata
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYOUT = "2"  # raise it when KEEP changes, so that old trees are unpacked again
UNAVAILABLE = 5  # the exit status for "no libtorch", as in the program itself

# Files to unpack from each wheel. The wheels' own folders are kept: the libraries find each other through
# RPATHs such as $ORIGIN/../../nvidia/cu13/lib. libtorch_cpu needs cudart and cupti even without a GPU.
KEEP = {
    "slim": r"torch/include/.*|torch/lib/lib(c10|torch_cpu|torch|gomp[^/]*)\.so[^/]*"
    r"|nvidia/cu13/lib/lib(cudart|cupti)\.so\.13",
    "cuda": r"torch/include/.*|torch/lib/lib(c10|torch|gomp|caffe2_nvrtc)[^/]*\.so[^/]*|nvidia/[^/]+/lib/.*\.so[^/]*",
}
# The licence terms.
TERMS = r"[^/]+\.dist-info/(licenses/.*|(?i:licen[cs]e|notice|copying)[^/]*)"
DROP = r"torch/lib/libtorch_(python|global_deps)\.so"  # for Python programs only

# `pip download` for a fixed platform and Python, so that every machine gets the same file.
PIP = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir", "--python-version=3.11",
       "--implementation=cp", "--abi=cp311"]

Wheel = namedtuple("Wheel", "variant name version file size sha256")


class Stop(Exception):
    """Ends the program with a message for the user."""


def say(text):
    print(f"[libtorch] {text}", file=sys.stderr, flush=True)


def read_lock(path, variant):
    """The wheels of a variant; the full set includes the slim one's."""
    rows = (line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    wheels = [Wheel(*row)._replace(size=int(row[4])) for row in rows]
    return [wheel for wheel in wheels if variant == "cuda" or wheel.variant == "slim"]


def stamp_text(wheels, variant):
    pinned = hashlib.sha256("\n".join([LAYOUT] + [wheel.sha256 for wheel in wheels]).encode()).hexdigest()
    return f"libtorch {wheels[0].version} {variant} {pinned}\n"


def file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(path):
    """One set-up at a time; the kernel lets go of the lock when its holder dies, however it dies."""
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "metadrift" / "wheels"


def users_own(version):
    """Says where the user's own libtorch is, or returns None; it is never changed, only its version is checked."""
    env = os.environ
    if "LIBTORCH_USE_PYTORCH" in env:
        try:
            found, where = importlib.metadata.version("torch"), "the torch of " + sys.executable
        except importlib.metadata.PackageNotFoundError:
            raise Stop(f"LIBTORCH_USE_PYTORCH is set, but {sys.executable} has no torch: pip install torch=={version}")
    elif "LIBTORCH" in env or ("LIBTORCH_LIB" in env and "LIBTORCH_INCLUDE" in env):
        base = env.get("LIBTORCH", "")
        lib, where = Path(env.get("LIBTORCH_LIB", base)) / "lib", base or env.get("LIBTORCH_LIB")
        if not any(lib.glob("libtorch_cpu.*")):
            raise Stop(f"LIBTORCH is set to {base!r}, but {lib} has no libtorch_cpu; correct it or unset it")
        found = None
        for file, pattern in ("build-version", r"(\S+)"), ("version.py", r"__version__ = '(.*?)'"):
            if found is None and base and (Path(base) / file).is_file():
                match = re.search(pattern, (Path(base) / file).read_text())
                found = match and match.group(1)
    else:
        return None
    if found and found.split("+")[0] != version and "LIBTORCH_BYPASS_VERSION_CHECK" not in env:
        raise Stop(f"your own libtorch ({where}) is {found}, and this project needs {version}.\n"
                   "Unset LIBTORCH and LIBTORCH_USE_PYTORCH to have the right one fetched.")
    return f"{where}, {found or 'version not known'}"


def check_platform(version):
    libc, release = platform.libc_ver()
    machine = f"{platform.system()} {platform.machine()}"
    new_enough = libc == "glibc" and tuple(map(int, release.split(".")[:2])) >= (2, 28)
    if machine == "Linux x86_64" and new_enough:
        return
    raise Stop(f"libtorch is fetched only for x86-64 Linux, glibc 2.28 or newer; this is {machine}, {libc} {release}\n"
               f"Install libtorch {version} yourself and set\n"
               "  LIBTORCH          the folder with lib/ and include/; or, when they are apart,\n"
               "  LIBTORCH_LIB      the folder with lib/ in it, and\n"
               "  LIBTORCH_INCLUDE  the folder with include/ in it\n"
               "(or LIBTORCH_USE_PYTORCH=1 for the torch of your Python).")


def good(wheel, folder):
    """The path of the pinned wheel in a folder, if it is there."""
    path = folder / wheel.file
    if not path.is_file():
        return None
    if path.stat().st_size == wheel.size and file_sha256(path) == wheel.sha256:
        return path
    say(f"{path} is not the pinned file (size or SHA-256 differs); it is not used")
    return None


def download(wheel, cache):
    """Fetches one wheel into the cache. It appears there whole and checked, or not at all."""
    say(f"downloading {wheel.name} {wheel.version}, {wheel.size / 1e6:.0f} MB, to {cache}")
    with tempfile.TemporaryDirectory(prefix="part-", dir=cache) as part:
        pins = Path(part, "requirements.txt")
        pins.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        tags = [f"--platform={tag}" for tag in wheel.file[: -len(".whl")].rsplit("-", 1)[1].split(".")]
        command = [sys.executable, "-m", "pip", "download", *quiet, *PIP, *tags]
        command += [f"--dest={part}", f"--requirement={pins}"]
        # TMPDIR: pip first writes to the temporary folder, which may be small, and then copies
        pip = subprocess.run(command, stdout=sys.stderr, env={**os.environ, "TMPDIR": part})
        path = good(wheel, Path(part))
        if pip.returncode or not path:
            raise Stop(f"could not download {wheel.file} (pip's reason is above).\n"
                       "Without network: put the files named in scripts/libtorch.lock into a folder, then\n"
                       "  ./x setup --offline --from FOLDER")
        path.replace(cache / wheel.file)
    return cache / wheel.file


def find_wheels(wheels, source, offline):
    """The path of each wheel: from the given folder, else from the cache, else downloaded into it."""
    cache = cache_dir()
    paths = {wheel: (source and good(wheel, source)) or good(wheel, cache) for wheel in wheels}
    missing = [wheel for wheel in wheels if not paths[wheel]]
    if missing and offline:
        names = "".join(f"\n  {wheel.file}" for wheel in missing)
        raise Stop(f"--offline, and not in {f'{source} or ' if source else ''}{cache}:{names}\n"
                   "Bring these files with --from FOLDER, or run once without --offline.")
    if missing:
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
            raise Stop("pip is missing: apt install python3-pip")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            (cache / ".lock").touch()
        except OSError as error:
            raise Stop(f"cannot write to the cache {cache} ({error.strerror}); set XDG_CACHE_HOME to another folder")
        if sum(wheel.size for wheel in missing) + max(wheel.size for wheel in missing) > shutil.disk_usage(cache).free:
            raise Stop(f"no room for the download in {cache}; make some, or set XDG_CACHE_HOME to another folder")
        with locked(cache / ".lock"):  # the cache may serve several copies of the project
            for stale in cache.glob("part-*"):
                remove(stale)
            for wheel in missing:
                paths[wheel] = ((cache / wheel.file).exists() and good(wheel, cache)) or download(wheel, cache)
    return [paths[wheel] for wheel in wheels]


def unpack(path, pattern, target):
    """Unpacks the matching files, each checked against the wheel's RECORD; returns lines for sha256sum -c."""
    lines = []
    with zipfile.ZipFile(path) as wheel:
        record = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
        hashes = {row[0]: row[1] for row in csv.reader(io.StringIO(wheel.read(record).decode())) if row}
        for name in wheel.namelist():
            wanted = re.fullmatch(pattern, name) or re.fullmatch(TERMS, name)
            if name.endswith("/") or not wanted or re.fullmatch(DROP, name):
                continue
            out = target / name
            if ".." in Path(name).parts:
                raise Stop(f"{path}: refused the file name {name!r}")
            out.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with wheel.open(name) as packed, open(out, "wb") as file:
                for block in iter(lambda: packed.read(1 << 20), b""):
                    digest.update(block)
                    file.write(block)
            if "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() != hashes.get(name):
                raise Stop(f"{path}: {name} is not what the wheel's RECORD says")
            lines.append(f"{digest.hexdigest()}  {name}\n")
    return lines


def current(root, lock, variant):
    """The variant that is set up and serves the wanted one, or None: the full set serves for both."""
    for have in ("slim", "cuda")[("slim", "cuda").index(variant):]:
        with contextlib.suppress(OSError):
            if (root / ".libtorch/STAMP").read_text() == stamp_text(read_lock(lock, have), have):
                return have
    return None


def setup(root, variant="slim", source=None, offline=False):
    lock, tree = root / "scripts/libtorch.lock", root / ".libtorch"
    version = read_lock(lock, "slim")[0].version
    own = users_own(version)
    if own:
        if variant == "cuda" or source:
            say(f"your own libtorch is used ({own}); nothing fetched")
        return
    if current(root, lock, variant):
        return
    check_platform(version)
    wheels = read_lock(lock, variant)
    with locked(root / ".libtorch.lock"):
        if current(root, lock, variant):
            return  # the other set-up did it
        temporary, old = root / ".libtorch.tmp", root / ".libtorch.old"
        for leftover in (temporary, old):
            remove(leftover)
        paths = find_wheels(wheels, source, offline)
        say(f"unpacking libtorch {version} ({variant} set) into {tree}")
        try:
            lines = [line for path in paths for line in unpack(path, KEEP[variant], temporary)]
            (temporary / "torch/build-version").write_text(version + "\n")  # torch-sys compares it with its own
            (temporary / "FILES").write_text("".join(lines))
            (temporary / "STAMP").write_text(stamp_text(wheels, variant))
            if tree.exists() or tree.is_symlink():
                tree.rename(old)
            temporary.rename(tree)
        finally:
            for leftover in (temporary, old):
                remove(leftover)
    say(f"libtorch {version} is ready")


def clean(root):
    with locked(root / ".libtorch.lock"):
        for name in (".libtorch", ".libtorch.tmp", ".libtorch.old"):
            remove(root / name)
    say(f"removed {root / '.libtorch'}; the downloads stay in {cache_dir()}")
    say("if the linker misses libtorch_cuda afterwards: cargo clean -p torch-sys; cargo clean --release -p torch-sys")


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else None


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def doctor(root):
    """Prints a report; True if nothing is missing."""
    lock, tree, bad = root / "scripts/libtorch.lock", root / ".libtorch", []

    def show(name, value, remedy, problem="MISSING"):
        print(f"{name:10} {value or f'{problem}: {remedy}'}")
        if not value:
            bad.append(name)

    show("python", f"{platform.python_version()} ({sys.executable})", "")
    show("pip", first_line(sys.executable, "-m", "pip", "--version"), "apt install python3-pip")
    cargo = first_line("cargo", "--version")
    wanted = re.search(r'^rust-version = "(.*)"', (root / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    old = cargo and numbers(cargo.split()[1]) < numbers(wanted)
    if old:
        show("cargo", None, f"{cargo}; Rust {wanted} or newer is needed: rustup update", "TOO OLD")
    else:
        show("cargo", cargo, "https://rustup.rs")
    show("C++", first_line(os.environ.get("CXX", "c++"), "--version"), "apt install g++")
    version = read_lock(lock, "slim")[0].version
    own = users_own(version)
    have = own or current(root, lock, "slim")
    show("libtorch", have and (f"your own: {own}" if own else f"{version}, {have} set, {tree}"), "./x setup --torch")
    if have and not own:
        rows = [line.split("  ", 1) for line in (tree / "FILES").read_text().splitlines()]
        wrong = [name for digest, name in rows
                 if not (tree / name).is_file() or file_sha256(tree / name) != digest]
        show("files", not wrong and f"{len(rows)} files are as unpacked",
             f"{len(wrong)} changed, as {wrong[:1]}: ./x clean-libtorch && ./x setup --torch")
        unresolved = []
        for lib in ("libtorch_cpu.so", "libtorch_cuda.so")[: 1 + (have == "cuda")]:
            ldd = subprocess.run(["ldd", str(tree / "torch/lib" / lib)], stdout=subprocess.PIPE, text=True).stdout
            unresolved += [line.split()[0] for line in ldd.splitlines() if "not found" in line]
        show("libraries", not unresolved and "all found", "not found: " + " ".join(unresolved))
    cached = [path for path in cache_dir().glob("*.whl")]
    print(f"{'cache':10} {cache_dir()}: {len(cached)} wheels, {sum(p.stat().st_size for p in cached) / 1e6:.0f} MB")
    print(f"{'disk':10} {shutil.disk_usage(root).free / 1e9:.1f} GB free in {root}")
    return not bad


def main(arguments):
    parser = argparse.ArgumentParser(prog="./x", description="libtorch for this project")
    verbs = parser.add_subparsers(dest="verb", required=True)
    options = verbs.add_parser("setup", help="fetch libtorch and unpack it into .libtorch")
    options.add_argument("--cuda", action="store_true", help="the full set with CUDA (a download of some 2.5 GB)")
    options.add_argument("--from", dest="source", type=Path, metavar="DIR", help="take the wheels from this folder")
    options.add_argument("--offline", action="store_true", help="never download")
    verbs.add_parser("doctor", help="report what is there and what is missing")
    verbs.add_parser("clean-libtorch", help="remove .libtorch")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if given.verb == "setup":
            setup(ROOT, "cuda" if given.cuda else "slim", given.source, given.offline)
        elif given.verb == "clean-libtorch":
            clean(ROOT)
        else:
            good = doctor(ROOT)
            sys.stdout.flush()
            return 0 if good else UNAVAILABLE
    except Stop as stop:
        say(str(stop))
        return UNAVAILABLE
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say(f"{error.strerror or error}: {error.filename or ''}")
        return UNAVAILABLE
    except KeyboardInterrupt:
        say("interrupted; finished downloads are kept, run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
