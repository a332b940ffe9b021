#!/bin/sh
# SPDX-License-Identifier: MIT
# Run tests that are built already and add up what they say.
#
# usage: tests/run.sh [SUITE | SUITE/NAME]...
#
# suites: layers        the rules of STYLE that a script can check
#         unit          tests/unit/*.c against the target's libc
#         applets       tests/applets/*.test with $QBOX (build/qbox)
#         asan          the units with AddressSanitizer and UBSan
#         asan-applets  the applet tests with the sanitized binary
#         guest         tests/guest/*.test, each in a machine of its own in an emulator
#         fuzz          tests/fuzz/*.c for FUZZ_SECONDS each
#
# Each test prints TAP; here a passing file is one line, a failing one its failures. The last line
# is "N passed, N failed, N skipped"; the exit status is 1 if any failed. V=1 shows everything.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
export BUILD

# names SUITE DIR SUFFIX: SUITE/NAME of every file.
names() {
	for file in "tests/$2"/*"$3"; do
		[ ! -f "$file" ] || echo "$1/$(basename "$file" "$3")"
	done
}

expand() {
	for suite; do
		case $suite in
		layers | */*) echo "${suite%.test}" ;;
		unit | asan) names "$suite" unit .c ;;
		applets | asan-applets) names "$suite" applets .test ;;
		guest) names guest guest .test ;;
		fuzz) names fuzz fuzz .c ;;
		*) echo "run.sh: unknown suite '$suite'" >&2; exit 2 ;;
		esac
	done
}

applet_test() {
	QBOX=$1 timeout -k 5 600 sh -c '. tests/testing.sh; . "$1"' sh "tests/applets/$2.test"
}

fuzz_test() {
	seeds=
	[ ! -d "tests/fixtures/fuzz/$1" ] || seeds=tests/fixtures/fuzz/$1
	mkdir -p "$results/corpus.$1"
	if "$BUILD/fuzz/fuzzer/$1" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$BUILD/fuzz/$1-" "$results/corpus.$1" $seeds >"$results/log.$1" 2>&1; then
		echo "ok 1 - $(grep '^Done' "$results/log.$1")"
	else
		grep -v '^#' "$results/log.$1" | tail -40 | sed 's/^/# /'
		echo "not ok 1 - fuzz $1"
		return 1
	fi
}

# One test: its TAP goes to a file, a summary to stdout.
one() {
	kind=${1%%/*} name=${1#*/}
	log=$results/$kind.$name.tap
	case $kind in
	layers) sh tests/layers.sh ;;
	unit) timeout -k 5 "${UNIT_SECONDS:-300}" "$BUILD/unit/$name" ;;
	asan) ASAN_OPTIONS=allocator_may_return_null=1 timeout -k 5 300 "$BUILD/asan/unit/$name" ;;
	applets) applet_test "${QBOX:-$BUILD/qbox}" "$name" ;;
	asan-applets) applet_test "$BUILD/asan/qbox.debug" "$name" ;;
	guest) sh tests/guest/run.sh "$name" ;;
	fuzz) fuzz_test "$name" ;;
	esac >"$log" 2>&1
	status=$?
	if ! grep -q '^not ok' "$log"; then
		if [ $status != 0 ]; then
			echo "not ok - $1 ended with status $status" >>"$log"
		elif ! grep -q '^ok' "$log"; then
			echo "not ok - $1 has no case" >>"$log"
		fi
	fi
	passed=$(grep '^ok' "$log" | grep -vc '# SKIP')
	failed=$(grep -c '^not ok' "$log")
	printf '%s %s: %d passed, %d failed, %d skipped\n' "$([ "$failed" = 0 ] && echo ok || echo FAIL)" \
		"$1" "$passed" "$failed" "$(grep -c '^ok.*# SKIP' "$log")"
	if [ -n "${V-}" ]; then
		cat "$log"
	elif [ "$failed" != 0 ]; then
		grep -v '^ok [^#]*$\|^1\.\.' "$log"
	else
		grep '^ok.*# SKIP' "$log"
	fi
	return 0
}

if [ "${1-}" = --one ]; then
	one "$2"
	exit 0
fi

results=$(mktemp -d "${TMPDIR:-/tmp}/qbox-tests.XXXXXX")
export results
trap 'rm -rf "$results"' EXIT
trap 'exit 1' HUP INT TERM
expand "$@" >"$results/list" || exit
xargs -P "${JOBS:-2}" -n 1 sh tests/run.sh --one <"$results/list"
# A test that was lost without a word is a failure too.
lost=$(($(wc -l <"$results/list") - $(find "$results" -name '*.tap' | wc -l)))
cat "$results"/*.tap >"$results/all" 2>/dev/null
skipped=$(grep -c '^ok.*# SKIP' "$results/all")
passed=$(($(grep -c '^ok' "$results/all") - skipped))
failed=$(($(grep -c '^not ok' "$results/all") + lost))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
