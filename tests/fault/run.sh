#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - every fault of a pull: make fault. Takes about an hour; FAULT_POINTS=N looks at N points of
# each class of system calls instead of all.

cd "$(dirname "$0")/../.." || exit
. tests/testing.sh
need root
need strace python3 umoci docker-registry
. tests/helpers/pull.sh
. tests/fault/fault.sh
later umount -l "$SCRATCH/disk"

all=${FAULT_POINTS:-100000}
settle=$(image settle)
evil_start "$SCRATCH/evil"
evil ""
echo "$FAULT_CLASSES" >"$SCRATCH/classes"

for FAULT_SOURCE in "oci:$settle fault:1" "--cacert=$EVIL_CA $EVIL/a/b:1"; do
	while read -r class; do
		t "killed at ${class%%,*}: ${FAULT_SOURCE%% *}" -- survives "$class" signal=KILL "$all"
	done <"$SCRATCH/classes"
	for error in EIO ENOSPC ENOMEM EINTR EAGAIN EMFILE EPERM ENOSYS; do
		while read -r class; do
			t "$error at ${class%%,*}: ${FAULT_SOURCE%% *}" -- speaks "$class" $error "$all"
		done <"$SCRATCH/classes"
	done
done

FAULT_SOURCE="oci:$(image small) fault:1"
t "every size of tmpfs from 64 KiB to 16 MiB" -- fills_up size 65536 65536 20000000
t "every number of inodes from 20 to 4,000" -- fills_up nr_inodes 20 20 4000

FAULT_SOURCE="oci:$settle fault:1"
t "200 power cuts" -- power_cuts 200

# The only fault that takes its time: a server that falls silent is left after 30 s.
FAULT_SOURCE="--cacert=$EVIL_CA $EVIL/a/b:1"
stalled()
{
	fresh
	evil "stall layer 1000 1"
	FAULT_TIMEOUT=60 fault_pull >/dev/null && sound
}
t "a connection that stalls is taken up again" -- stalled
