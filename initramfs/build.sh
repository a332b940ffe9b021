#!/bin/sh
# SPDX-License-Identifier: MIT
# Build an initramfs: qbox, a link for each applet, and minit as /init.
#
# usage: initramfs/build.sh QBOX OUT [TREE...]
#
# The directories, files and links of each TREE go in, too: programs, /etc/modules, /etc/hostname.
# All belongs to root and is of 1970, and the order is fixed: the same input gives the same bytes.
# Nothing of this needs root, or a cpio program.
set -eu
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")/.." && pwd)
qbox=$1 out=$2
shift 2
number=0

# zeros N: N bytes, at most 3.
zeros() {
	[ "$1" = 0 ] || printf '%.*s' "$1" '000' | tr 0 '\000'
}

# entry NAME MODE SIZE [MAJOR MINOR]: the head of one member in "newc" form; its data comes next.
entry() {
	number=$((number + 1))
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s' \
		"$number" "$2" 0 0 1 0 "$3" 0 0 "${4:-0}" "${5:-0}" "$((${#1} + 1))" 0 "$1"
	zeros 1
	zeros $(((4 - (110 + ${#1} + 1) % 4) % 4))
}
directory() { entry "$1" $((040000 | $2)) 0; }
link() {
	entry "$1" $((0120777)) "${#2}"
	printf %s "$2"
	zeros $(((4 - ${#2} % 4) % 4))
}
file() {
	size=$(wc -c <"$3")
	entry "$1" $((0100000 | $2)) "$size"
	cat "$3"
	zeros $(((4 - size % 4) % 4))
}

# What of a tree comes again in a later one replaces it: so the kernel reads an archive.
tree() {
	(cd "$1" && find . ! -name .) | sort | while IFS= read -r path; do
		name=${path#./}
		if [ -L "$1/$name" ]; then
			link "$name" "$(readlink "$1/$name")"
		elif [ -d "$1/$name" ]; then
			directory "$name" "0$(stat -c %a "$1/$name")"
		elif [ -f "$1/$name" ]; then
			file "$name" "0$(stat -c %a "$1/$name")" "$1/$name"
		else
			echo "build.sh: '$1/$name' is no file, directory or link" >&2
			exit 1
		fi
	done
}

archive() {
	for name in bin dev etc proc root run sys; do
		directory $name 0755
	done
	directory tmp 01777
	# The kernel opens it before it starts us.
	entry dev/console $((020600)) 0 5 1
	file bin/qbox 0755 "$qbox"
	awk 'FNR == 1 && $2 != "qbox" && $4 !~ /^\(/ { print $2 }' "$here"/applets/*.c | sort |
		while read -r name; do
			link "bin/$name" qbox
		done
	link init bin/qbox
	for path; do
		tree "$path"
	done
	entry 'TRAILER!!!' 0 0
}

archive "$@" >"$out.tmp"
gzip -9nc "$out.tmp" >"$out.new"
rm "$out.tmp"
mv "$out.new" "$out"
echo "$out: $(wc -c <"$out") bytes"
