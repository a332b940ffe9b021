#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [NAME...] - take one defence away at a time; the tests must notice: make mutants
#
# NAME.patch begins with
#	# removes: which defence, and its row in the threat model
#	# tests: SUITE/NAME...     of tests/run.sh; each alone must fail with the patch, and pass without
# and goes on as a unified diff (patch -p1).
#
# A program without a defence may do what the defence is for, and it runs as root: all happens in
# mount and pid namespaces where only new tmpfs on /srv, /tmp, /dev/shm and /run can be written.
# Each of $JOBS (2) works in a copy of the tree in /srv.

cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build} VBUILD=${VBUILD:-${BUILD:-build}/vendor} JOBS=${JOBS:-2}
VBUILD=$(readlink -f "$VBUILD") IMAGES=$(readlink -f "$BUILD")/images
if [ -z "${MUTANTS_APART-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "run.sh: needs root: many defences do nothing without" >&2; exit 1; }
	MUTANTS_APART=1
	export MUTANTS_APART BUILD VBUILD
	exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
		sh tests/mutants/run.sh "$@"
fi

# protect	from here on nothing can be changed that was there before
protect()
{
	for protect_dir in /tmp /dev/shm /run; do
		mount -t tmpfs -o mode=1777 tmpfs "$protect_dir" || return
	done
	mount -o remount,bind,ro / || return
	# What refuses is what cannot be written anyhow.
	awk '$5 !~ "^/(srv|tmp|dev|run|proc|sys/fs/cgroup)?(/|$)" { print $5 }' /proc/self/mountinfo |
		while read -r protect_dir; do
			mount -o remount,bind,ro "$protect_dir" 2>/dev/null
		done
	[ ! -w /etc ] && [ ! -w "$VBUILD" ]
}

work=/srv
mount -t tmpfs tmpfs $work && mkdir $work/0 $work/images || exit
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t $work/0 || exit
# Where the new /tmp cannot hide them.
if [ -d "$IMAGES" ]; then
	mount --bind "$IMAGES" $work/images && mount -o remount,bind,ro $work/images || exit
fi
IMAGES=$work/images
export IMAGES
cd $work/0 || exit
protect || { echo "run.sh: cannot protect this system, or VBUILD lies in /tmp" >&2; exit 1; }

# build TREE TEST...	what the tests need, after a change
build()
{
	build_tree=$1 build_units= build_all=
	shift
	for build_test; do
		case $build_test in
		unit/*) build_units="$build_units ${build_test#unit/}" ;;
		*) build_all=all ;;
		esac
	done
	# A build directory by its relative name: then a copy of the tree needs no new build.
	make -s -C "$build_tree" BUILD=build VBUILD="$VBUILD" $build_all ${build_units:+units} \
		UNIT="${build_units# }" >"$build_tree.make" 2>&1 ||
		{ tail -n 20 "$build_tree.make"; return 1; }
}

# passes TREE TEST [STOP]	STOP: the first failure of an applet test is enough
passes()
{
	(cd "$1" && BUILD=build JOBS=1 T_STOP=$3 UNIT_SECONDS=${3:+60} sh tests/run.sh "$2") >"$1.log" 2>&1
}

tests_of()
{
	for tests_name; do
		sed -n 's/^# tests: //p' "tests/mutants/$tests_name.patch"
	done | tr ' ' '\n' | sort -u
}

# kill_one TREE NAME	0: every named test fails without the defence
kill_one()
{
	kill_tests=$(tests_of "$2") kill_status=0
	[ "$kill_tests" ] || { echo "names no tests"; return 1; }
	patch -s -p1 -d "$1" <"tests/mutants/$2.patch" || { echo "does not apply"; return 1; }
	if build "$1" $kill_tests && ! grep -q 'error:' "$1.make"; then
		for kill_test in $kill_tests; do
			! passes "$1" "$kill_test" 1 || { echo "$kill_test passes without it"; kill_status=1; }
		done
	else
		grep 'error:' "$1.make"
		echo "does not build"
		kill_status=1
	fi
	patch -s -R -p1 -d "$1" <"tests/mutants/$2.patch" && return $kill_status
}

# kill_some TREE NAME...
kill_some()
{
	some_tree=$1
	shift
	for some_name; do
		some_what=$(sed -n 's/^# removes: //p' "tests/mutants/$some_name.patch")
		if some_why=$(kill_one "$some_tree" "$some_name"); then
			echo "killed $some_name: $some_what"
		else
			echo "ALIVE $some_name: $some_what: $some_why"
		fi
	done
}

# nth N NAME...	every name whose place is N more than a multiple of $JOBS
nth()
{
	nth_at=$1
	shift
	for nth_name; do
		[ $nth_at != 0 ] || echo "$nth_name"
		nth_at=$(((nth_at + JOBS - 1) % JOBS))
	done
}

[ $# != 0 ] || set -- $(basename -s .patch tests/mutants/*.patch)
build "$work/0" $(tests_of "$@") || exit
for test in $(tests_of "$@"); do
	passes "$work/0" "$test" "" || { cat "$work/0.log"; echo "run.sh: $test fails as it is"; exit 1; }
done
job=1
while [ $job -lt "$JOBS" ]; do
	cp -a "$work/0" "$work/$job" || exit
	job=$((job + 1))
done
while [ $job -gt 0 ]; do
	job=$((job - 1))
	kill_some "$work/$job" $(nth $job "$@") | tee "$work/said.$job" &
done
wait
alive=$(cat "$work"/said.* | grep -c '^ALIVE')
echo "$# mutants, $alive alive"
[ "$(cat "$work"/said.* | grep -c '^killed')" = $# ]
