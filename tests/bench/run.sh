#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - side by side with the peers, in one run: make bench
#
# BENCH_ROUNDS (3), BENCH_IMAGES ("bench1 bench5 many busybox"). Stores and the registry are on tmpfs. The images
# are made first, which takes minutes; they are kept in build/images.

cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build}
helpers=$PWD/tests/helpers
. tests/helpers/registry.sh
. tests/helpers/images.sh

scratch=$(mktemp -d /dev/shm/qbox-bench.XXXXXX) || exit
trap 'registry_stop; umount -l "$scratch"/*/podman/overlay 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$scratch/bin" && ln -s "$(readlink -f "$BUILD/qbox")" "$scratch/bin/qbox" &&
	"$BUILD/qbox" --install -s "$scratch/bin" || exit
export PATH="$scratch/bin:$PATH" QBOX_STORE="$scratch/start/qbox" QBOX_RUN="$scratch/start/qrun"

registry_start "$scratch/registry" || exit
for name in ${BENCH_IMAGES:-bench1 bench5 many busybox}; do
	place=$(image "$name") && registry_push "$place" "$name:1" && pushed="$pushed $name"
done
python3 tests/bench/pull.py "${BENCH_ROUNDS:-3}" "$REGISTRY" "$REGISTRY_CA" "$scratch/store" $pushed || exit

# crun 1.8 refuses cgroup v1 with an empty v2 mount beside it: take that away, for this namespace only.
mkdir "$scratch/start"
place=$(image busybox) && unshare -m sh -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' sh \
	python3 tests/bench/start.py $((${BENCH_ROUNDS:-3} * 10)) "$scratch/start" "$place"
