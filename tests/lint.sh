#!/bin/sh
# SPDX-License-Identifier: MIT
# All warnings, format, static analysis, scripts and layers. Run by make lint.
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
failed=0

step() {
	echo "  LINT    $1"
	shift
	"$@" || failed=1
}

warnings='-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
	-Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral -Wcast-qual -Werror'
sources=$(git ls-files -co --exclude-standard 'lib/*.[ch]' 'applets/*.[ch]' 'tests/*.[ch]' | grep -v fixtures)
scripts=$(git ls-files -co --exclude-standard '*.sh' .ci/run)

# shellcheck disable=SC2086 # lists of plain words
{
	step warnings make --no-print-directory BUILD="$BUILD/lint" VBUILD="$VBUILD" \
		WARN="$(echo $warnings)" objects units >/dev/null
	step clang-format clang-format --dry-run -Werror $sources
	# It takes snprintf(NULL, 0) for a null dereference; the sanitizers look for real ones.
	step cppcheck cppcheck --quiet --error-exitcode=1 --std=c11 -Ilib -Iapplets -I"$BUILD" \
		--enable=warning,portability --suppress=nullPointer --suppress=ctunullpointer \
		--suppress=nullPointerArithmeticRedundantCheck -D_GNU_SOURCE lib applets
	# Sourced files, variables shared between them, and lists that are meant to be split.
	step shellcheck shellcheck -S warning -x -s sh -e SC1007,SC1090,SC1091,SC2034,SC2046,SC2154,SC3043 $scripts
	step layers sh tests/layers.sh
}
exit $failed
