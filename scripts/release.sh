#!/bin/sh
# Makes all that a release consists of in a new folder: the crates as packages, the wheel for Python, the program with
# completions and manual pages, their licences, and SHA256SUMS. Nothing is published.
#   scripts/release.sh DIR [PROFILE]      PROFILE is dev, to try the script; else wheel for the wheel and release for the program
# The wheel is for glibc 2.17 and newer (manylinux2014) if pip can install zig, else for the glibc of this machine.
set -eu
[ $# -ge 1 ] || { echo "usage: scripts/release.sh DIR [PROFILE]" >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
[ -z "$(ls -A "$to")" ] || { echo "[release] $to: there is something in it; choose a new or empty folder" >&2; exit 1; }
target=${CARGO_TARGET_DIR:-$PWD/target}
folder=release
[ "${2-}" != dev ] || folder=debug
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
say() { echo "[release] $1" >&2; }

python3 scripts/third_party.py --check

say "crates"
cargo package --workspace --exclude metadrift-python --no-verify --locked --quiet
mkdir "$to/crates"
for name in metadrift metadrift-agents metadrift-envs metadrift-page metadrift-random metadrift-runtime metadrift-runtime-c; do
    cp "$target/package/$name-$version.crate" "$to/crates"
done

say "wheel"
environment=$target/python/release
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
pip() { "$environment/bin/pip" --quiet --disable-pip-version-check "$@"; }
pip install "$(grep '^maturin==' python/requirements.txt)"
linker="--auditwheel skip"
if pip install "$(grep '^ziglang==' python/release.txt)"; then
    linker="--zig --compatibility manylinux2014"
else
    say "without zig: the wheel is for machines with the glibc of this one, or a newer one"
fi
# $linker without quotes: two words or three
PATH=$environment/bin:$PATH maturin build --quiet --locked --profile "${2:-wheel}" $linker --compression-level 9 \
    --manifest-path python/Cargo.toml --out "$to"

say "program"
cargo build --locked --profile "${2:-release}" -p metadrift
name=metadrift-$version-$(uname -m)-linux
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/$name/completions" "$place/$name/man"
program=$place/$name/metadrift
strip -o "$program" "$target/$folder/metadrift"
for shell in bash zsh fish elvish powershell; do "$program" completions $shell >"$place/$name/completions/metadrift.$shell"; done
"$program" man "$place/$name/man" >/dev/null
cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$place/$name"
# without libtorch the program consists of what the wheel does
cp python/THIRD-PARTY.md "$place/$name"
tar -C "$place" -czf "$to/$name.tar.gz" "$name"
cp python/THIRD-PARTY.md "$to"

(cd "$to" && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum >"$place/SHA256SUMS" && mv "$place/SHA256SUMS" .)
say "metadrift $version is in $to"
