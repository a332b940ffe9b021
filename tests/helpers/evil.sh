# SPDX-License-Identifier: MIT
# evil.sh - scripted registries for tests (evilreg.py); sourced
#
# evil_start DIR [http] [OCI]	start one, with TLS unless http; sets EVIL (localhost:PORT), EVIL_CA, EVIL_LOG
#				and EVIL_PID. The script and log of the one that was started last are in use.
# evil_stop			stop all that were started
# evil_asked PATTERN N PID	wait until N requests match (grep -E); fails if process PID ends before that
# evil LINE...			the script from now on, one line a word; the log is emptied

helpers=${helpers:-$(pwd)/tests/helpers}
. "$helpers/certs.sh"
EVIL_PIDS=
EVIL_SERIAL=0

evil_start()
{
	mkdir -p "$1" && certs_make "$1/certs" || return
	EVIL_CA=$1/certs/ca/ca.crt
	EVIL_SCRIPT=$(mktemp "$1/script.XXXXXX")
	EVIL_LOG=$EVIL_SCRIPT.log
	: >"$EVIL_LOG"
	evil_tls="--tls $1/certs"
	shift
	if [ "${1-}" = http ]; then
		evil_tls=
		shift
	fi
	set -- $(python3 "$helpers/evilreg.py" $evil_tls ${1:+--image "$1"} "$EVIL_SCRIPT" "$EVIL_LOG")
	[ $# = 2 ] || return
	EVIL=localhost:$1
	EVIL_PID=$2
	EVIL_PIDS="$EVIL_PIDS $2"
}

evil_stop()
{
	[ -z "$EVIL_PIDS" ] || kill $EVIL_PIDS 2>/dev/null
	EVIL_PIDS=
}

# The serial number makes the same script a new one, with counters at zero.
evil()
{
	EVIL_SERIAL=$((EVIL_SERIAL + 1))
	: >"$EVIL_LOG"
	{ echo "# $EVIL_SERIAL"; printf '%s\n' "$@"; } >"$EVIL_SCRIPT.new" && mv "$EVIL_SCRIPT.new" "$EVIL_SCRIPT"
}

evil_asked()
{
	until [ "$(grep -Ec "$1" "$EVIL_LOG")" -ge "$2" ]; do
		kill -0 "$3" 2>/dev/null || { echo "no $2 requests of $1" >&2; return 1; }
		sleep 0.02
	done
}
