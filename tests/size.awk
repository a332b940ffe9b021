# SPDX-License-Identifier: MIT
# Add up a link map per applet, lib module and vendored library; fail above the limit.
#
# usage: awk -v build=DIR -v total=BYTES -v limit=BYTES -f size.awk DIR/qbox.map
#
# Only what is in the file counts: no .bss, no debug sections. Merged strings are counted where
# the linker put them. "other" is what belongs to none: headers and padding.

function hex(s,   i, n) {
	s = tolower(substr(s, 3))
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n
}

function owner(file) {
	if (file ~ /libc\.a\(|crt[1in]\.o/) return "vendor/musl"
	if (file ~ /libgcc/) return "vendor/libgcc"
	if (match(file, /lib[a-z0-9]+\.a\(/)) {
		file = substr(file, RSTART + 3, RLENGTH - 6)
		return "vendor/" (file == "z" ? "zlib" : file)
	}
	sub(/.*\/obj\//, "", file)
	sub(/\.o$/, "", file)
	return file == "gen/applets" ? "applets/(help and options)" : file
}

/^Linker script and memory map/ { reading = 1 }
!reading { next }
# An output section begins in column 1; its input sections are indented by one blank.
/^\.[a-z_]/ {
	keep = $1 !~ /^\.(bss|tbss|debug|comment|symtab|strtab|shstrtab|stab)/
	next
}
/^[^ ]/ { keep = 0 }
# A long section name stands alone on its line.
/^ [^ ]+$/ { getline rest; $0 = $0 " " rest }
keep && /^ [.A-Z]/ && $2 ~ /^0x/ && $3 ~ /^0x/ && NF >= 4 {
	bytes[owner($4)] += hex($3)
}

END {
	order = "sort -k1,1"
	for (name in bytes) {
		group = name
		sub(/\/[^\/]*$/, "", group)
		sum[group] += bytes[name]
		known += bytes[name]
		if (bytes[name])
			printf "%-32s %8d\n", name, bytes[name] | order
	}
	close(order)
	print ""
	for (group in sum)
		printf "%-32s %8d\n", group, sum[group] | order
	close(order)
	printf "%-32s %8d\n", "other", total - known
	printf "%-32s %8d of %d\n", "total, stripped", total, limit
	if (total > limit) {
		print "size: the binary is over the limit" > "/dev/stderr"
		exit 1
	}
}
