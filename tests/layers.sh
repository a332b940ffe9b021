#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules of STYLE that a script can check, as TAP: directions of includes, who may include a
# vendored header, lengths of functions and files, and that everything has a test.
cd "$(dirname "$0")/.." || exit 1
sources=$(find lib applets tests -name '*.[ch]' -not -path 'tests/fixtures/*' | sort)
number=0

# verdict NAME PROBLEMS: one line of TAP, with the problems as its diagnosis.
verdict() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

# shellcheck disable=SC2086 # lists of plain file names
verdict "includes follow lib/LAYERS" "$(awk '
FILENAME == "lib/LAYERS" {
	if ($1 == "layer") {
		level[$3] = $2
		for (i = 4; i <= NF; i++)
			known[$3 "/" $i] = 1
	} else if ($1 == "pair")
		for (i = 3; i <= NF; i++)
			pair[$2, $i] = 1
	else if ($1 == "vendored")
		for (i = 3; i <= NF; i++)
			vendored[$2, $i] = restricted[$2] = 1
	else if ($1 == "applet") {
		for (i = 3; i <= NF && $i != "-"; i++)
			extra[$2, $i] = 1
		if (i >= NF)
			print "lib/LAYERS: applet " $2 " has no reason"
	} else if (NF && $1 !~ /^(#|tested$|untested$|fuzzed$)/)
		print "lib/LAYERS: unknown line: " $0
	next
}
FNR == 1 {
	n = split(FILENAME, part, "/")
	module = part[n]
	sub(/\.[ch]$/, "", module)
	folder = part[2]
	if (part[1] == "lib" && !((folder "/" module) in known))
		print FILENAME ": not in lib/LAYERS"
}
/^#include </ {
	header = $2
	gsub(/[<>]/, "", header)
	if (part[1] != "tests" && (header ~ /^bearssl/ ? "bearssl.h" in restricted : header in restricted) &&
	    !((header ~ /^bearssl/ ? "bearssl.h" : header, module) in vendored))
		print FILENAME ": must not include <" header ">"
}
/^#include "/ && part[1] != "tests" {
	header = $2
	gsub(/"/, "", header)
	split(header, to, "/")
	target = to[2]
	sub(/\.h$/, "", target)
	if (part[1] == "applets") {
		if (header ~ /^(applet\.h|gen\/[a-z]+\.h)$/ || to[1] ~ /^(base|engine|cli)$/)
			next
		if (!((module, to[1]) in extra))
			print FILENAME ": must not include \"" header "\""
	} else if (!(header in seen_known) && !((to[1] "/" target) in known))
		print FILENAME ": \"" header "\" is not a module of lib/LAYERS"
	else if (to[1] == folder && target == module)
		next
	else if (to[1] == folder ? !((module, target) in pair) : level[to[1]] >= level[folder])
		print FILENAME ": must not include \"" header "\""
}' lib/LAYERS $sources)"

# A function begins with "{" and ends with "}" in the first column; units are lists of cases.
# shellcheck disable=SC2086
verdict "no function is longer than 100 lines" "$(awk '
	/^{/ && FILENAME !~ /^tests\/unit/ { start = FNR }
	/^}/ && start { if (FNR - start - 1 > 100) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }
	FNR == 1 { start = 0 }' $sources)"

# shellcheck disable=SC2086
verdict "no file is longer than 1,000 lines" \
	"$(wc -l $sources | awk '$1 > 1000 && $2 != "total" { print $2 ": " $1 " lines" }')"

# shellcheck disable=SC2046,SC2086
verdict "each file names its licence" "$(grep -L 'SPDX-License-Identifier: MIT' $sources Makefile .ci/run \
	$(find applets lib tests vendor -name '*.sh' -o -name '*.awk' -o -name '*.mk'))"

verdict "each applet has a test" "$(for file in applets/*.c; do
	name=$(basename "$file" .c)
	[ "$name" != main ] || name=qbox
	sed -n 's/^untested //p' lib/LAYERS | grep -qw "$name" || [ -f "tests/applets/$name.test" ] || echo "$file: tests/applets/$name.test is missing"
done)"

verdict "each lib module has a unit test" "$(for file in lib/*/*.c; do
	name=$(basename "$file" .c)
	by=$(sed -n "s/^tested $name //p" lib/LAYERS)
	sed -n 's/^untested //p' lib/LAYERS | grep -qw "$name" || [ -f "tests/unit/${by:-$name}.c" ] || echo "$file: tests/unit/${by:-$name}.c is missing"
done)"

verdict "each parser of outside bytes has a fuzz target" "$(sed -n 's/^fuzzed //p' lib/LAYERS | tr ' ' '\n' |
	while read -r name; do
		[ -f "tests/fuzz/$name.c" ] || echo "tests/fuzz/$name.c is missing"
	done)"

# unistd COMPILER [OPTION]: "NAME NUMBER" of each call in the kernel headers of a compiler, if it is here.
unistd() {
	command -v "$1" >/dev/null || return 0
	for name in $(echo '#include <asm/unistd.h>' | "$@" -E -dM - 2>/dev/null |
		sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p'); do
		echo "@ $name __NR_$name"
	done | { echo '#include <asm/unistd.h>'; cat; } | "$@" -E -P - 2>/dev/null |
		awk '$1 == "@" && $3 ~ /^[0-9]+$/ { print $2, $3 }'
}

# numbers COLUMN COMPILER [OPTION]: what those headers have and syscalls.txt has not, or otherwise.
numbers() {
	column=$1
	shift
	unistd "$@" | awk -v column="$column" '
	FILENAME == "-" { if ($1 !~ /^(syscalls|arch_specific_syscall)$/) theirs[$1] = $2; next }
	!/^#/ && NF { ours[$1] = $column }
	END {
		for (name in theirs)
			if (ours[name] != theirs[name])
				print "lib/engine/syscalls.txt: column " column ": " name " is " theirs[name]
	}' - lib/engine/syscalls.txt
}

verdict "numbers of system calls are those of the kernel headers" "$(
	[ "$(uname -m)" != x86_64 ] || { numbers 2 cc; numbers 3 cc -D__i386__ -U__x86_64__; }
	numbers 4 aarch64-linux-gnu-gcc
	numbers 5 arm-linux-gnueabihf-gcc)"

echo "1..$number"
