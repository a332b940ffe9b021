# SPDX-License-Identifier: MIT
# gen - turn the header comments of applets into code and documents
#
# usage: awk -f gen.awk -v mode=header applets/NAME.c                   build/gen/NAME.h
#        awk -f gen.awk -v mode=table -v version=V applets/*.c VERSIONS  build/gen/applets.c
#        awk -f gen.awk -v mode=man -v version=V applets/NAME.c          build/man/NAME.1
#        awk -f gen.awk -v mode=bash applets/*.c                         build/qbox.bash
#
# The first comment of a file is read up to its end:
#
#   NAME - summary             NAME is the file's name (main.c: qbox); a summary that starts with
#                              "(internal)" hides the applet
#   usage: NAME ...            more forms on the next lines, indented. If one ends in "[ARG...]",
#                              options end at the first operand; else they may stand anywhere
#   paragraphs
#   commands:                  lines "  WORD OPERANDS  text"; "[ARG...]" at the end of OPERANDS
#                              means the same for this command
#   options:                   lines "  -x, --long=ARG  text" or "      --long  text"; an argument
#                              in brackets, --long[=ARG], may be left out
#   options WORD:              options of one command, besides those of "options:"
#   environment: files: exit status: examples: see also:
#                              a line of exit status for 125 makes that the status of wrong usage
#
# Out of NAME.h an applet without commands uses enum opt. One with commands is one line,
#
#	int qimage_main(struct args *args)
#	{
#		return commands[args_command(args)](args);
#	}
#
# and one function cmd_WORD for each, whose loop sees the shared options (enum opt) and its own
# (enum opt_WORD, OPT_WORD_NAME, numbered from OPT_OWN on):
#
#	while ((opt = args_next(args)) != OPT_END)
#		if (opt < OPT_OWN)
#			shared_option(&want, opt, args);
#		else
#			switch ((enum opt_ls)opt) {
#
# Everything the compiler is to check goes to NAME.h, all other data to applets.c.

function error(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function c_name(s) { s = toupper(s); gsub(/-/, "_", s); return s }
function c_word(s) { gsub(/-/, "_", s); return s }
function c_string(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }

FNR == 1 {
	components = FILENAME ~ /VERSIONS$/
	reading = 0
	if (!components)
		begin_applet()
	next
}

components {
	if ($0 !~ /^#/ && NF)
		component[++component_count] = $1 " " $2 " " $5
	next
}

function begin_applet(   file) {
	f = ++file_count
	file = FILENAME
	sub(/.*\//, "", file)
	sub(/\.c$/, "", file)
	if ($0 !~ /^\/\* [a-z]+ - [a-z(]/ || $0 ~ /\.$/)
		error("the first line must be '/* NAME - summary'")
	name[f] = $2
	if (name[f] != (file == "main" ? "qbox" : file))
		error("the header comment names " name[f])
	summary[f] = substr($0, index($0, " - ") + 3)
	internal[f] = summary[f] ~ /^\(internal\)/
	lines[f] = 0
	section = "usage"
	reading = 1
}

!reading { next }

/^ \*\/$/ {
	reading = 0
	if (!used[f])
		error("no usage line")
	next
}

{
	if ($0 !~ /^ \*( |$)/)
		error("a line of the header comment must start with ' *'")
	line = substr($0, 4)
	text[f, ++lines[f]] = line
}

line ~ /^(commands|options|options [a-z][a-z-]*|environment|files|exit status|examples|see also):$/ {
	section = substr(line, 1, length(line) - 1)
	if (section ~ /^options ./) {
		owner = substr(section, 9)
		if (!((f, owner) in command_index))
			error("options of an unknown command '" owner "'")
		section = "options"
	} else
		owner = ""
	next
}

section == "usage" {
	if (line ~ /^usage: /)
		used[f] = 1
	else if (line == "" && used[f])
		section = "text"
	if (line ~ /\[ARG\.\.\.\]$/)
		stop[f] = 1
	next
}

section == "commands" && line ~ /^  [a-z]/ {
	word = substr(line, 3)
	form = word
	sub(/   *[^ ].*/, "", form)
	sub(/ .*/, "", word)
	if ((f, word) in command_index)
		error("command '" word "' is listed twice")
	command[f, ++commands[f]] = word
	command_index[f, word] = commands[f]
	command_stop[f, word] = form ~ /\[ARG\.\.\.\]$/
	next
}

section == "options" && line ~ /^ *-/ { add_option(); next }

section == "exit status" && line ~ /^ *125 / { status125[f] = 1; next }

function add_option(   word, letter, kind, n) {
	if (line !~ /^  (-[A-Za-z0-9], |    )--[a-z0-9][a-z0-9-]*(=[^ ]+|\[=[^ ]+\])?(  |$)/)
		error("not an option line: '" line "'")
	letter = substr(line, 3, 1) == "-" ? substr(line, 4, 1) : ""
	word = substr(line, 9)
	sub(/  .*/, "", word)
	kind = index(word, "[=") ? "ARGS_OPTIONAL" : index(word, "=") ? "ARGS_VALUE" : "ARGS_BOOL"
	sub(/[[=].*/, "", word)
	if (word == "help")
		error("--help is everywhere and not listed")
	if ((f, "", word) in seen || (f, owner, word) in seen)
		error("option '--" word "' is listed twice")
	if (letter != "" && ((f, "", "-" letter) in seen || (f, owner, "-" letter) in seen))
		error("option '-" letter "' is listed twice")
	seen[f, owner, word] = seen[f, owner, "-" letter] = 1
	n = ++options[f, owner]
	option[f, owner, n] = word
	option_row[f, owner, n] = "\t{ \"" word "\", " (letter == "" ? "0" : "'" letter "'") ", " kind " },\n"
}

END {
	if (failed)
		exit 1
	if (mode == "header")
		emit_header()
	else if (mode == "table")
		emit_table()
	else if (mode == "man")
		emit_man()
	else
		emit_bash()
}

# --- header: what the compiler checks ---

function emit_enum(owner, first,   i, prefix) {
	if (!options[1, owner])
		return
	prefix = "OPT_" (owner == "" ? "" : c_name(owner) "_")
	print "enum opt" (owner == "" ? "" : "_" c_word(owner)) " {"
	for (i = 1; i <= options[1, owner]; i++)
		print "\t" prefix c_name(option[1, owner, i]) (i == 1 && first ? " = " first : "") ","
	print "};"
}

function emit_header(   i, shared) {
	print "/* Made by gen.awk from the header comment of " name[1] ". */\n"
	print "int " name[1] "_main(struct args *args);"
	shared = options[1, ""] + 0
	emit_enum("", 0)
	if (!commands[1])
		return
	print "enum { OPT_OWN = " shared " }; /* the first of a command's own options */"
	for (i = 1; i <= commands[1]; i++)
		emit_enum(command[1, i], shared)
	for (i = 1; i <= commands[1]; i++)
		print "static int cmd_" c_word(command[1, i]) "(struct args *args);"
	print "static int (*const commands[])(struct args *args) = {"
	for (i = 1; i <= commands[1]; i++)
		print "\tcmd_" c_word(command[1, i]) ","
	print "};"
}

# --- table: everything main.c and lib/cli/args read ---

function rows(i, owner,   j, out) {
	for (j = 1; j <= options[i, owner]; j++)
		out = out option_row[i, owner, j]
	return out
}

# An option array and its struct args_syntax; options of none are NULL.
function syntax(i, owner, stops,   id, n) {
	n = options[i, ""] + (owner == "" ? 0 : options[i, owner])
	id = n ? name[i] "_options" (owner == "" ? "" : "_" c_word(owner)) : "NULL"
	if (n)
		printf "static const struct args_option %s[] = {\n%s%s};\n", id, rows(i, ""),
			owner == "" ? "" : rows(i, owner)
	return sprintf("{ \"%s\", %s, %d, %s }", owner == "" ? name[i] : owner, id, n,
		stops ? "true" : "false")
}

function emit_applet(i,   j, list, own) {
	print "int " name[i] "_main(struct args *args);"
	own = syntax(i, "", stop[i])
	for (j = 1; j <= commands[i]; j++)
		list = list "\t" syntax(i, command[i, j], command_stop[i, command[i, j]]) ",\n"
	if (commands[i])
		printf "static const struct args_syntax %s_commands[] = {\n%s};\n", name[i], list
	print ""
	return own
}

function emit_row(i, own,   j) {
	print "\t{ .summary = " c_string(summary[i]) ","
	print "\t  .help ="
	print "\t\t" c_string(name[i] " - " summary[i]) "\"\\n\""
	for (j = 1; j <= lines[i]; j++)
		print "\t\t" c_string(text[i, j]) "\"\\n\""
	print "\t  , .main = " name[i] "_main, .syntax = " own ","
	if (commands[i])
		print "\t  .commands = " name[i] "_commands, .command_count = " commands[i] ","
	print "\t  .usage_status = " (status125[i] ? "EXIT_OURS" : "EXIT_USAGE") \
		", .internal = " (internal[i] ? "true" : "false") " },"
}

function emit_table(   i, j, k, order, own) {
	print "/* Made by gen.awk from the header comments of the applets and vendor/VERSIONS. */"
	print "#include \"applet.h\"\n"
	for (i = 1; i <= file_count; i++) {
		for (j = i; j > 1 && name[order[j - 1]] > name[i]; j--)
			order[j] = order[j - 1]
		order[j] = i
	}
	for (k = 1; k <= file_count; k++)
		own[k] = emit_applet(order[k])
	print "const struct applet applets[] = {"
	for (k = 1; k <= file_count; k++)
		emit_row(order[k], own[k])
	print "};\nconst size_t applet_count = " file_count ";\n"
	print "const struct component components[] = {"
	for (i = 1; i <= component_count; i++) {
		split(component[i], part, " ")
		printf "\t{ \"%s\", \"%s\", \"%s\" },\n", part[1], part[2], part[3]
	}
	print "};\nconst size_t component_count = " component_count ";"
	print "const char qbox_version[] = " c_string(version) ";"
}

# --- man page ---

function roff(s) {
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	if (s ~ /^[.']/)
		s = "\\&" s
	return s
}

# "  -x, --long=ARG  text" and "  0  text" become tagged paragraphs.
function emit_entry(s,   tag) {
	sub(/^ */, "", s)
	tag = s
	sub(/   *[^ ].*/, "", tag)
	print ".TP\n.B " roff(tag)
	s = substr(s, length(tag) + 1)
	sub(/^ */, "", s)
	if (s != "")
		print roff(s)
}

function emit_man(   i, s, plain) {
	printf ".TH %s 1 \"\" \"qbox %s\"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n", toupper(name[1]),
		version, name[1], roff(summary[1])
	for (i = 1; i <= lines[1] && text[1, i] == ""; i++)
		;
	for (; i <= lines[1] && text[1, i] != ""; i++) {
		s = text[1, i]
		sub(/^(usage:)? */, "", s)
		print roff(s)
	}
	print ".fi\n.SH DESCRIPTION"
	plain = 1
	for (; i <= lines[1]; i++) {
		s = text[1, i]
		if (s ~ /^(commands|options|options [a-z-]+|environment|files|exit status|examples|see also):$/) {
			if (plain == 2)
				print ".fi"
			plain = s ~ /^examples/ ? 2 : 0
			print ".SH " toupper(substr(s, 1, length(s) - 1)) (plain ? "\n.nf" : "")
		} else if (s == "")
			print plain == 2 ? "" : ".PP"
		else if (plain == 0 && s ~ /^   ? ? ? ?[^ ]/ && s ~ /[^ ]  +[^ ]/)
			emit_entry(s)
		else if (plain == 0 && s ~ /^  [^ ]/ && s !~ /^   /)
			emit_entry(s)
		else {
			sub(/^ */, "", s)
			print roff(s)
		}
	}
	if (plain == 2)
		print ".fi"
}

# --- completion ---

function long_options(i, owner,   j, out) {
	for (j = 1; j <= options[i, owner]; j++)
		out = out " --" option[i, owner, j]
	return out
}

function emit_bash(   i, j, names, words, options_of) {
	print "# bash completion for qbox and its applets; made by gen.awk"
	print "_qbox()\n{"
	print "\tlocal at=0 applet=${COMP_WORDS[0]##*/} words="
	print "\t[[ $applet == qbox && $COMP_CWORD -gt 1 ]] && at=1 applet=${COMP_WORDS[1]}"
	print "\tlocal command=${COMP_WORDS[at + 1]} first=$((COMP_CWORD == at + 1))"
	print "\tcase $applet in"
	for (i = 1; i <= file_count; i++) {
		if (internal[i])
			continue
		names = names " " name[i]
		if (name[i] == "qbox")
			continue
		print "\t" name[i] ")"
		words = ""
		for (j = 1; j <= commands[i]; j++)
			words = words " " command[i, j]
		if (commands[i]) {
			print "\t\tif ((first)); then words='" substr(words, 2) " --help'; else case $command in"
			for (j = 1; j <= commands[i]; j++)
				print "\t\t\t" command[i, j] ") words='" \
					substr(long_options(i, "") long_options(i, command[i, j]), 2) "' ;;"
			print "\t\tesac; fi ;;"
		} else
			print "\t\twords='--help" long_options(i, "") "' ;;"
	}
	print "\tqbox) words='" substr(names, 2) " --list --install --version --help' ;;"
	print "\tesac"
	print "\tif [[ $2 == -* ]] || ((first)); then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$2\"); fi"
	print "}"
	print "complete -o default -F _qbox" names
}
