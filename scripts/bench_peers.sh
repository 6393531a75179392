#!/bin/sh
# Times metadrift and other systems in turn on this machine, and prints the times and ratios.
#   scripts/bench_peers.sh DIR [ROUNDS [PART...]]      parts: step policy meta ppo; default all, 3 rounds
# DIR holds the peers' programs (a_jax.py, c_torch.py, ...; each prints JSON lines) and virtualenvs vj (JAX) and
# vt (PyTorch) for them; missing ones are left out with a message. See docs/performance.md.
set -eu
dir=$(cd "${1:?usage: scripts/bench_peers.sh DIR [ROUNDS [PART...]]}" && pwd)
shift
cd "$(dirname "$0")/.."
./x help >/dev/null # builds what is missing
exec python3 scripts/bench_peers.py "$dir" "$@"
