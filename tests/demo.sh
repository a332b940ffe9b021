#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh - what qbox does, on real input: make demo
#
# A registry with TLS on loopback, two images pulled from it, listed, verified, run, streamed out. All
# in a scratch directory that is removed. Where something is missing it says so and shows the rest.

cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
helpers=$PWD/tests/helpers
. tests/helpers/registry.sh
. tests/helpers/images.sh

scratch=$(mktemp -d "${TMPDIR:-/tmp}/qbox-demo.XXXXXX") || exit
trap 'registry_stop; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$scratch/bin"
ln -s "$(readlink -f "$BUILD/qbox")" "$scratch/bin/qbox"
"$BUILD/qbox" --install -s "$scratch/bin" || exit
export PATH="$scratch/bin:$PATH" QBOX_STORE="$scratch/store" QBOX_RUN="$scratch/run"
left_out=

# show COMMAND...	the command as one would type it, and what it prints
show()
{
	printf '\n$ %s\n' "$*"
	eval "$*" || { echo "demo.sh: '$*' failed" >&2; exit 1; }
}

# note TEXT
note()
{
	printf '\n# %s\n' "$*"
}

have()
{
	for program; do
		command -v "$program" >/dev/null || { left_out="$left_out$program is not installed; "; return 1; }
	done
}

# A root directory of nothing but static programs: busybox, else qbox itself.
small_root()
{
	if command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1; then
		busybox_root "$1"
	else
		mkdir -p "$1/bin" "$1/proc" "$1/sys" "$1/dev" "$1/tmp" && cp "$BUILD/qbox" "$1/bin/qbox"
	fi
}

from_registry()
{
	note "a registry with TLS, its authority made just now, and two images made by umoci and mmdebstrap"
	busybox=$(image busybox) && registry_start "$scratch/registry" && registry_push "$busybox" busybox:1 || return
	[ -d "$IMAGES/debian1" ] || echo "  (Debian takes a minute the first time; it is kept in $IMAGES)"
	debian=$(image debian1) && registry_push "$debian" debian:12 || debian=
	show "qpull --cacert=$REGISTRY_CA $REGISTRY/busybox:1"
	if [ "$debian" ]; then
		show "qpull --cacert=$REGISTRY_CA $REGISTRY/debian:12"
	else
		left_out="${left_out}no Debian image (mmdebstrap found no packages); "
	fi
	note "what is there already costs one request"
	show "qpull -q --cacert=$REGISTRY_CA $REGISTRY/busybox:1"
}

from_root()
{
	note "no registry here: a root directory becomes an image"
	mkdir "$scratch/root" && small_root "$scratch/root" || return
	show "tar -C $scratch/root -c . | qpull - small:1"
}

look()
{
	show "qimage ls"
	note "every file of every layer, back into the tar stream it came in, compared with its digest"
	show "qstore verify"
}

# The life of a container that nobody waits for.
loop()
{
	note "without a terminal, on its own, limited; then look, ask it to end, and remove it"
	show "qrun -d --name=clock -m 32m --pids-limit=20 $REGISTRY/busybox:1 sh -c 'while date; do sleep 1; done'"
	sleep 1.5
	show "qps"
	show "qlogs --tail=1 clock"
	show "qstop -t 1 clock"
	show "qps -a"
	show "qrm clock"
}

# Run something in each image; the shell's quotes are for show's eval.
run()
{
	if [ "$busybox" ]; then
		show "qrun --rm $REGISTRY/busybox:1 sh -c 'echo \"process \$\$ of \$(hostname), user \$(id -u)\"; ls /'"
		[ -z "$debian" ] || show "qrun --rm $REGISTRY/debian:12 grep PRETTY_NAME /etc/os-release"
		note "the status is the command's own"
		show "qrun --rm $REGISTRY/busybox:1 sh -c 'exit 7' || echo \"status \$?\""
		loop
	elif [ -e "$scratch/root/bin/busybox" ]; then
		show "qrun --rm small:1 /bin/busybox ls -l /"
	else
		show "qrun --rm small:1 /bin/qbox --version"
	fi
}

stream()
{
	note "the root file system of an image as one tar stream"
	biggest=busybox:1
	[ -z "$debian" ] || biggest=debian:12
	if [ "$busybox" ]; then
		show "qpull -q -o - --cacert=$REGISTRY_CA $REGISTRY/$biggest | tar t | wc -l"
	else
		show "tar -C $scratch/root -c . | qpull -q -o - - | tar t | wc -l"
	fi
}

busybox='' debian=
{ have docker-registry skopeo umoci openssl busybox curl && from_registry; } || from_root || exit
look
if [ "$(id -u)" = 0 ]; then
	run
else
	left_out="${left_out}running needs root; "
fi
stream
[ -z "$left_out" ] || note "left out: ${left_out%; }"
