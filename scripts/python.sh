#!/bin/sh
# Builds the wheel with the profile dev, installs it into an environment of its own, and runs its tests.
# Without a package index there is nothing to test with: continuous integration then fails, and other machines skip it.
set -eu
cd "$(dirname "$0")/.."
place=${CARGO_TARGET_DIR:-$PWD/target}/python
environment=$place/environment
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "[python] Python 3.11 or newer is needed: this is $(python3 --version)" >&2
    exit 1
}
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
if ! "$environment/bin/pip" install --quiet --disable-pip-version-check -r python/requirements.txt; then
    [ -z "${CI-}" ] || exit 1
    echo "[python] SKIPPED: pip cannot install python/requirements.txt, so the wheel is neither built nor tested" >&2
    exit 0
fi
rm -rf "$place/wheels"
PATH=$environment/bin:$PATH
maturin build --quiet --locked --profile dev --manifest-path python/Cargo.toml --auditwheel skip --out "$place/wheels"
pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall "$place"/wheels/metadrift-*.whl
python -m unittest discover --quiet -s python/tests -t python/tests "$@"
echo "[python] the wheel's program, environments and policies work" >&2
