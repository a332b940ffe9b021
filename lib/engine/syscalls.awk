# SPDX-License-Identifier: MIT
# syscalls - turn syscalls.txt into build/gen/syscalls.c
#
# usage: LC_ALL=C awk -f syscalls.awk syscalls.txt
#
# One table for each target, of which the compiler takes its own. A number fits 16 bits: those of
# arm's private range, 0xf0000 and up, are written as 0xf000 and up.

function error(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

/^#/ || !NF { next }

{
	if (NF != 7)
		error("not NAME AMD64 X86 ARM64 ARM INTS RULE")
	if (count && $1 <= name[count])
		error("'" $1 "' is out of order")
	name[++count] = $1
	for (i = 2; i <= 5; i++)
		number[count, i] = $i == "-" ? "0xffff" : packed($i)
	for (i = 0; i <= 5; i++)
		if (index($6, i))
			ints[count] += 2 ^ i
	if ($7 == "-")
		rule[count] = "SYSCALL_RULE_DENY"
	else if ($7 ~ /^[a-z0-9]+$/)
		rule[count] = "SYSCALL_RULE_" toupper($7)
	else
		rule[count] = "CAP_" $7
}

function packed(n) {
	if (n ~ /^0xf000[0-9a-f]$/)
		return "0xf00" substr(n, 7)
	if (n !~ /^[0-9]+$/ || n >= 4096)
		error("'" n "' is not a number of a system call")
	if (n + 0 > newest)
		newest = n + 0
	return n
}

# The table of a target whose ABIs have the columns NATIVE and COMPAT; 0: there is none.
function emit(condition, native, compat,   i, offset, rows, n) {
	print condition
	print "const char syscall_names[] ="
	for (i = 1; i <= count; i++) {
		if (number[i, native] == "0xffff" && (!compat || number[i, compat] == "0xffff"))
			continue
		print "\t\"" name[i] "\\0\""
		rows = rows sprintf("\t{ %d, { %s, %s }, %d, %s },\n", offset, number[i, native],
			compat ? number[i, compat] : "0xffff", ints[i], rule[i])
		offset += length(name[i]) + 1
		n++
	}
	print ";\nconst struct syscall syscalls[] = {\n" rows "};"
	print "const size_t syscall_count = " n ";"
}

END {
	if (failed)
		exit 1
	print "/* Made by syscalls.awk from syscalls.txt. */\n#include \"engine/syscalls.h\"\n"
	print "#include <linux/capability.h>\n"
	emit("#if defined(__x86_64__)", 2, 3)
	emit("#elif defined(__i386__)", 3, 0)
	emit("#elif defined(__aarch64__)", 4, 5)
	emit("#elif defined(__arm__)", 5, 0)
	print "#else\nconst char syscall_names[1];\nconst struct syscall syscalls[1];"
	print "const size_t syscall_count = 0;\n#endif"
	print "const uint32_t syscall_newest = " newest ";"
}
