#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [NAME...] - take one defence away at a time; the tests must notice: make mutants
#
# NAME.patch begins with
#	# removes: which defence, and its row in the threat model
#	# tests: SUITE/NAME...     of tests/run.sh; each alone must fail with the patch, and pass without
# and goes on as a unified diff (patch -p1). The tree is copied, so the checkout is left alone.

cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build} VBUILD=${VBUILD:-${BUILD:-build}/vendor}
VBUILD=$(readlink -f "$VBUILD") IMAGES=$(readlink -f "$BUILD")/images
export IMAGES
work=$(mktemp -d "${TMPDIR:-/tmp}/qbox-mutants.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work" || exit

# build TEST	what TEST needs, after a change
build()
{
	case $1 in
	unit/*) set -- units "UNIT=${1#unit/}" ;;
	*) set -- all ;;
	esac
	make -s -C "$work" BUILD="$work/build" VBUILD="$VBUILD" "$@" >"$work/make.log" 2>&1 ||
		{ tail -n 20 "$work/make.log"; return 1; }
}

passes()
{
	(cd "$work" && BUILD="$work/build" sh tests/run.sh "$1") >"$work/test.log" 2>&1
}

# kill_one NAME PATCH	0: every named test fails with it
kill_one()
{
	sed -n 's/^# tests: //p' "$2" | tr ' ' '\n' >"$work/tests"
	[ -s "$work/tests" ] || { echo "names no tests"; return 1; }
	patch -s -p1 -d "$work" <"$2" || { echo "does not apply"; return 1; }
	kill_status=0
	while read -r test; do
		build "$test" || { echo "does not build"; kill_status=1; break; }
		! passes "$test" || { echo "$test passes without the defence"; kill_status=1; }
	done <"$work/tests"
	patch -s -R -p1 -d "$work" <"$2" && return $kill_status
}

[ $# != 0 ] || set -- $(basename -s .patch tests/mutants/*.patch)
for name; do
	sed -n 's/^# tests: //p' "tests/mutants/$name.patch"
done | tr ' ' '\n' | sort -u >"$work/all"
while read -r test; do
	build "$test" && passes "$test" || { cat "$work/test.log"; echo "run.sh: $test fails as it is"; exit 1; }
done <"$work/all"

alive=0
for name; do
	what=$(sed -n 's/^# removes: //p' "tests/mutants/$name.patch")
	if why=$(kill_one "$name" "tests/mutants/$name.patch"); then
		echo "killed $name: $what"
	else
		echo "ALIVE $name: $what: $why"
		alive=$((alive + 1))
	fi
done
echo "$# mutants, $alive alive"
[ $alive = 0 ]
