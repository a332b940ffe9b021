# SPDX-License-Identifier: MIT
# pull.sh - what the tests of qpull share; sourced after testing.sh
#
# It makes $SCRATCH on tmpfs, points the store, the run directory, the configuration and $HOME into it,
# and takes all away at exit.

helpers=${helpers:-$(pwd)/tests/helpers}
. "$helpers/registry.sh"
. "$helpers/evil.sh"
. "$helpers/images.sh"

# a shim in front of the interpreter takes longer than most of what is done with it
python=$(python3 -c 'import sys; print(sys.executable)') && PATH="${python%/*}:$PATH"

SCRATCH=$(mktemp -d /dev/shm/qbox-test.XXXXXX)
later rm -rf "$SCRATCH"
later registry_stop
later evil_stop
export QBOX_STORE="$SCRATCH/store" QBOX_RUN="$SCRATCH/run" QBOX_CONFIG="$SCRATCH/config"
export HOME="$SCRATCH/home"
unset XDG_RUNTIME_DIR XDG_CONFIG_HOME DOCKER_CONFIG REGISTRY_AUTH_FILE SSL_CERT_FILE
mkdir -p "$HOME" "$QBOX_CONFIG"

# fresh		an empty store
fresh()
{
	rm -rf "$QBOX_STORE" "$QBOX_RUN"
}

# say TEXT; fails: ends the condition it stands in
wrong()
{
	echo "$*" >&2
	return 1
}

# mkimg PLACE	an OCI layout from the lines on stdin
mkimg()
{
	python3 "$helpers/mkimg.py" oci "$1"
}

# sound		the store holds nothing half done, and all that it lists is what its digests say
sound()
{
	[ -d "$QBOX_STORE" ] || return 0
	qstore verify >"$SCRATCH/verify" 2>&1 || wrong "qstore verify: $(cat "$SCRATCH/verify")" || return
	[ -z "$(ls -A "$QBOX_STORE/tmp")" ] || wrong "left in tmp/: $(ls -A "$QBOX_STORE/tmp")"
}

# empty		the store lists no image, and keeps no layer that gc does not take: layers that were complete when a
#		pull failed stay for the next try
empty()
{
	[ -d "$QBOX_STORE" ] || return 0
	if [ -n "$(ls -A "$QBOX_STORE/layers" 2>/dev/null)" ]; then
		qstore gc >"$SCRATCH/gc" 2>&1 || wrong "qstore gc: $(cat "$SCRATCH/gc")" || return
	fi
	[ -z "$(qimage ls -q)" ] || wrong "listed: $(qimage ls -q)" || return
	[ -z "$(ls -A "$QBOX_STORE/layers" 2>/dev/null)" ] || wrong "left in layers/: $(ls -A "$QBOX_STORE/layers")"
}

# stored [NAME]	the directories of the layers of an image, highest first, as overlay wants them
stored()
{
	python3 - "$QBOX_STORE" "${1-}" <<-'END'
		import json, os, sys
		store, name = sys.argv[1:]
		for file in os.listdir(store + "/refs"):
		    with open(f"{store}/refs/{file}", encoding="utf-8") as f:
		        image = json.load(f)
		    if not name or name in image["reference"]:
		        print(":".join(f"{store}/layers/{x}/fs" for x in reversed(image["layers"])))
		        break
	END
}

# merged NAME COMMAND...	with the layers of the image mounted on $SCRATCH/merged
merged()
{
	mkdir -p "$SCRATCH/merged" "$SCRATCH/nothing"
	merged_layers=$(stored "$1")
	[ -n "$merged_layers" ] || wrong "no image $1 in the store" || return
	shift
	unshare -m sh -c 'mount -t overlay -o "ro,lowerdir=$0" overlay "$1" && shift && exec "$@"' \
		"$merged_layers:$SCRATCH/nothing" "$SCRATCH/merged" "$@"
}

# tree NAME [OPTION]		the tree of a stored image, a line a path
tree()
{
	merged "$1" python3 "$helpers/tree.py" dump ${2-} "$SCRATCH/merged"
}

KEEP=--keep-dirlinks # an entry through a lower link goes where the link leads

# reference LAYOUT:TAG		what umoci makes of it: the directory (made once in a test)
reference()
{
	reference_dir=$SCRATCH/umoci/$(echo "$1" | tr -c 'a-zA-Z0-9\n' _)
	if [ ! -d "$reference_dir" ]; then
		mkdir -p "$SCRATCH/umoci"
		umoci unpack $KEEP --image "$1" "$reference_dir" >"$SCRATCH/umoci.log" 2>&1 ||
			wrong "umoci: $(cat "$SCRATCH/umoci.log")" || return
	fi
	echo "$reference_dir/rootfs"
}

# same_tree NAME LAYOUT:TAG [OPTION]	the stored image is what umoci unpacks, to the last attribute
same_tree()
{
	same_reference=$(reference "$2") || return
	merged "$1" python3 "$helpers/tree.py" compare ${3-} "$same_reference" "$SCRATCH/merged"
}

# canary	something outside that hostile images try to reach; canary_same: nobody did
canary()
{
	mkdir -p "$SCRATCH/canary/drop" && echo secret >"$SCRATCH/canary/secret" || return
	chmod 640 "$SCRATCH/canary/secret"
	canary_state >"$SCRATCH/canary.before"
}

canary_state()
{
	find "$SCRATCH/canary" -printf '%p %y %m %U %G %T@ %C@ %n %s %l\n' | sort
	cat "$SCRATCH/canary/secret"
	getfattr -d -m - -R "$SCRATCH/canary" 2>/dev/null
	find / -maxdepth 1 -mindepth 1 -printf '%p %y %m %l\n' | sort
	find /etc -maxdepth 1 -printf '%p %y %m %T@ %s %l\n' | sort
	cat /proc/sys/kernel/core_pattern
	# other tests mount too, in their own places
	cut -d ' ' -f 5 /proc/self/mountinfo | grep -v '^/dev/shm/qbox-\|^/tmp/qbox-' | sort
	grep -c "$SCRATCH" /proc/self/mountinfo
}

canary_same()
{
	canary_state >"$SCRATCH/canary.after"
	cmp -s "$SCRATCH/canary.before" "$SCRATCH/canary.after" ||
		wrong "the host changed: $(diff "$SCRATCH/canary.before" "$SCRATCH/canary.after")"
}
