# SPDX-License-Identifier: MIT
# guest - what a test in the guest may use: t of tests/testing.sh with -s, -o and -e
T=/tmp/t
mkdir -p $T
t_number=0

t() {
	t_name=$1 t_status=0 t_check= t_stdout= t_err= t_why=
	shift
	while [ "$1" != -- ]; do
		case $1 in
		-s) t_status=$2 ;;
		-o) t_check=1 t_stdout=$2 ;;
		-e) t_err=$2 ;;
		esac
		shift 2
	done
	shift
	t_got=0
	"$@" </dev/null >$T/stdout 2>$T/stderr || t_got=$?
	[ $t_got = "$t_status" ] || t_why="exit status $t_got, wanted $t_status"
	[ -z "$t_check" ] || [ "$(cat $T/stdout)" = "$t_stdout" ] || t_why="stdout"
	[ -z "$t_err" ] || grep -Eq -e "$t_err" $T/stderr || t_why="stderr"
	t_number=$((t_number + 1))
	if [ -z "$t_why" ]; then
		echo "ok $t_number - $t_name"
		return
	fi
	echo "not ok $t_number - $t_name"
	echo "# $t_why"
	head -c 1000 $T/stdout | sed 's/^/# stdout: /'
	head -c 1000 $T/stderr | sed 's/^/# stderr: /'
}
