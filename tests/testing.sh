# SPDX-License-Identifier: MIT
# testing - what an applet test may use; tests/run.sh reads this file and then the test
#
#   t NAME [-s STATUS] [-o STDOUT] [-O PATTERN] [-e PATTERN] [-i STDIN] -- COMMAND ARG...
#       one case: COMMAND must exit with STATUS (0), print exactly STDOUT and a newline ('' is
#       nothing at all), have a line on stdout (-O) or stderr (-e) that matches PATTERN (grep -E,
#       may be given several times); stdin is STDIN and a newline, else empty. What it printed
#       stays in $T/stdout and $T/stderr.
#   need WHAT...       skip the rest of the file unless WHAT is there: root, userns, overlay, or
#                      a command's name
#   later COMMAND ARG...   run at exit, also after failure; last given, first run
#   skip NAME REASON   count one case as skipped
#
# Given: $T, a scratch directory that is removed at the end, $TOP, the source tree, $QBOX, the
# binary; applets are on PATH. QBOX_STORE and QBOX_RUN lie below $T.

TOP=$(pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/qbox-test.XXXXXX")
QBOX=$(readlink -f "$QBOX")
mkdir "$T/bin"
ln -s "$QBOX" "$T/bin/qbox"
"$QBOX" --install -s "$T/bin"
PATH=$T/bin:$PATH:/usr/sbin:/sbin
QBOX_STORE=$T/store QBOX_RUN=$T/run
LC_ALL=C
export PATH TOP T QBOX QBOX_STORE QBOX_RUN LC_ALL

t_number=0 t_failed=0 t_later=

t_end() {
	status=$?
	trap - EXIT
	eval "$t_later"
	chmod -R u+rwX "$T" 2>/dev/null
	rm -rf "$T"
	[ "$status" = 0 ] || [ "$t_failed" != 0 ] || {
		t_number=$((t_number + 1))
		echo "not ok $t_number - the test itself: exit status $status"
		t_failed=1
	}
	echo "1..$t_number"
	exit $((t_failed != 0))
}
trap t_end EXIT
trap 'exit 1' HUP INT TERM

later() {
	t_words=
	for t_word; do
		t_words="$t_words '$(printf '%s' "$t_word" | sed "s/'/'\\\\''/g")'"
	done
	t_later="$t_words
$t_later"
}

skip() {
	t_number=$((t_number + 1))
	echo "ok $t_number - $1 # SKIP $2"
}

need() {
	for t_what; do
		case $t_what in
		root) [ "$(id -u)" = 0 ] ;;
		userns) unshare -Ur true 2>/dev/null ;;
		overlay) grep -qw overlay /proc/filesystems ;;
		*) command -v "$t_what" >/dev/null ;;
		esac && continue
		skip "the rest" "needs $t_what"
		exit 0
	done
}

# t_fail TEXT [FILE]: remember why the case fails; FILE is shown.
t_fail() {
	t_why="$t_why# $1
"
	[ -z "${2-}" ] || t_why="$t_why$(head -c 2000 "$2" | head -20 | sed 's/^/#   /')
"
}

# t_match FILE PATTERNS: each line of PATTERNS must match in FILE.
t_match() {
	printf '%s' "$2" | while IFS= read -r t_pattern; do
		grep -Eqe "$t_pattern" "$1" || { echo "$t_pattern"; break; }
	done
}

t() {
	t_name=$1 t_status=0 t_check= t_stdout= t_out= t_err= t_why=
	: >"$T/stdin"
	shift
	while [ "$1" != -- ]; do
		case $1 in
		-s) t_status=$2 ;;
		-o) t_check=1 t_stdout=$2 ;;
		-O) t_out="$t_out$2
" ;;
		-e) t_err="$t_err$2
" ;;
		-i) printf '%s\n' "$2" >"$T/stdin" ;;
		*) echo "# t: unknown option '$1'"; exit 1 ;;
		esac
		shift 2
	done
	shift
	t_got=0
	"$@" <"$T/stdin" >"$T/stdout" 2>"$T/stderr" || t_got=$?
	[ "$t_got" = "$t_status" ] || t_fail "exit status $t_got, wanted $t_status; stderr:" "$T/stderr"
	if [ "$t_check" ]; then
		printf '%s' "${t_stdout:+$t_stdout
}" >"$T/want"
		cmp -s "$T/want" "$T/stdout" || {
			t_fail "stdout, wanted:" "$T/want"
			t_fail "got:" "$T/stdout"
		}
	fi
	t_miss=$(t_match "$T/stdout" "$t_out")
	[ -z "$t_miss" ] || t_fail "no '$t_miss' on stdout:" "$T/stdout"
	t_miss=$(t_match "$T/stderr" "$t_err")
	[ -z "$t_miss" ] || t_fail "no '$t_miss' on stderr:" "$T/stderr"
	t_number=$((t_number + 1))
	if [ "$t_why" ]; then
		t_failed=$((t_failed + 1))
		printf 'not ok %d - %s\n%s' "$t_number" "$t_name" "$t_why"
		[ -z "${T_STOP-}" ] || exit 1
	else
		echo "ok $t_number - $t_name"
	fi
}
