# SPDX-License-Identifier: MIT
# fault.sh - break a pull at a chosen system call and see what is left; sourced after pull.sh
#
# What must hold after every fault: what the store lists is whole (qstore verify), the same pull then
# succeeds, and after that nothing is left in tmp/.

# The system calls of a pull by what they do; a question mark lets strace skip what this CPU has not.
FAULT_CLASSES='openat,?openat2,?open
mkdirat,?mkdir,?mknodat,?mknod,symlinkat,?symlink
write,writev,pwrite64,?pwritev,?copy_file_range,?sendfile
read,pread64,?readv
fsync,fdatasync,?syncfs,sync
?rename,renameat,?renameat2
linkat,?link
unlinkat,?unlink,?rmdir
fchmod,?fchmodat,?chmod,fchown,fchownat,?lchown,?chown
utimensat,fsetxattr,?setxattr,?lsetxattr,ftruncate,?fallocate
fcntl,?flock
mount,?umount2,pivot_root,?open_tree,?move_mount,?mount_setattr
clone,?clone3,?fork,?vfork,unshare,setns
socket,connect,bind,sendto,?sendmsg,recvfrom,?recvmsg,poll,?ppoll
prctl,capset,seccomp,setresuid,setresgid,setgroups,?setrlimit,?prlimit64
close,?close_range,dup,?dup2,?dup3,pipe,?pipe2
mmap,?mremap,munmap,brk
wait4,waitid,kill,?pidfd_open,?pidfd_send_signal,rt_sigaction,rt_sigprocmask
fstat,?newfstatat,?statx,?stat,?lstat,fstatfs,?statfs,getdents64,?readlinkat'

# The pull that is broken; a test sets it.
fault_pull()
{
	timeout ${FAULT_TIMEOUT:-30} qpull -q $FAULT_SOURCE
}

# calls CLASS	how many calls of it the process that makes most of them makes
calls()
{
	fresh
	timeout 60 strace -f -qq -e trace="$1" -e signal=none -o "$SCRATCH/calls" qpull -q $FAULT_SOURCE >/dev/null ||
		return
	awk '{ n[$1]++ } END { for (p in n) if (n[p] > max) max = n[p]; print max + 0 }' "$SCRATCH/calls"
}

# strike CLASS WHAT N	run the pull with WHAT happening to call N of each of its processes
strike()
{
	timeout 60 strace -f -qq -o /dev/null -e trace="$1" -e signal=none -e inject="$1:$2:when=$3" \
		qpull -q $FAULT_SOURCE >"$SCRATCH/out" 2>"$SCRATCH/err"
}

# whole	what is listed is what it says; leftovers are allowed
whole()
{
	[ ! -d "$QBOX_STORE" ] || timeout 60 qstore verify >"$SCRATCH/verify" 2>&1 ||
		wrong "qstore verify: $(cat "$SCRATCH/verify")"
}

recovers()
{
	whole || return
	fault_pull >"$SCRATCH/out" 2>&1 || wrong "the next pull: $(cat "$SCRATCH/out")" || return
	sound
}

# points COUNT LIMIT	so many numbers of 1 to COUNT, spread, with the first and the last
points()
{
	awk -v n="$1" -v m="$2" 'BEGIN {
		if (m == 1) { print int((n + 1) / 2); exit }
		if (n <= m) { for (i = 1; i <= n; i++) print i; exit }
		for (i = 0; i < m; i++) print 1 + int(i * (n - 1) / (m - 1))
	}'
}

# survives CLASS WHAT LIMIT	the pull is broken at up to LIMIT points of the class
survives()
{
	survives_count=$(calls "$1") || wrong "the pull itself fails" || return
	for n in $(points "$survives_count" "$3"); do
		fresh
		strike "$1" "$2" "$n"
		survives_status=$?
		recovers || wrong "after $1:$2:when=$n of $survives_count, status $survives_status: $(cat "$SCRATCH/err")" ||
			return
	done
}

# speaks CLASS ERROR LIMIT	as survives, and a failure says something, or the error did not matter
speaks()
{
	speaks_count=$(calls "$1") || return
	for n in $(points "$speaks_count" "$3"); do
		fresh
		strike "$1" "error=$2" "$n"
		speaks_status=$?
		case $speaks_status in
		0) whole ;;
		1 | 75) grep -q '^qpull: ' "$SCRATCH/err" ;;
		*) false ;;
		esac && recovers || wrong "after $1:error=$2:when=$n, status $speaks_status: $(cat "$SCRATCH/err")" || return
	done
}

# A file system of its own for the store: on_tmpfs OPTIONS COMMAND..., with $FAULT_DISK mounted
on_tmpfs()
{
	on_tmpfs_options=$1
	shift
	FAULT_DISK=$SCRATCH/disk
	mkdir -p "$FAULT_DISK"
	mount -t tmpfs -o "mode=700,$on_tmpfs_options" tmpfs "$FAULT_DISK" || return
	on_disk "$@"
}

on_disk()
{
	on_disk_saved=$QBOX_STORE
	QBOX_STORE=$FAULT_DISK/store
	"$@"
	on_disk_status=$?
	QBOX_STORE=$on_disk_saved
	umount "$FAULT_DISK" || umount -l "$FAULT_DISK"
	return $on_disk_status
}

# disk_make MIB		a fresh ext4 in a file; disk_mount: on $FAULT_DISK
disk_make()
{
	FAULT_DISK=$SCRATCH/disk
	mkdir -p "$FAULT_DISK"
	rm -f "$SCRATCH/ext4"
	truncate -s "$1M" "$SCRATCH/ext4" &&
		mke2fs -q -F -t ext4 -b 1024 -J size="$([ "$1" -ge 16 ] && echo 4 || echo 1)" "$SCRATCH/ext4"
}

disk_mount()
{
	mount -o loop "$SCRATCH/ext4" "$FAULT_DISK" && chmod 700 "$FAULT_DISK"
}

# full_or_done	the pull succeeds, or says that there is no room and leaves nothing
full_or_done()
{
	fault_pull >"$SCRATCH/out" 2>"$SCRATCH/err"
	case $? in
	0) sound && return ;;
	1) grep -qi "no space\|space left\|not enough room\|disk full\|disk is full" "$SCRATCH/err" ;;
	*) false ;;
	esac || wrong "status $?: $(cat "$SCRATCH/err")" || return
	[ ! -d "$QBOX_STORE" ] || { whole && empty; } || return
	return 10
}

# fills_up OPTION FROM STEP TO	a store on ever larger file systems: first full, in the end large enough
fills_up()
{
	for size in $(seq "$2" "$3" "$4"); do
		on_tmpfs "$1=$size" full_or_done
		case $? in
		0) [ "$size" -gt "$2" ] || wrong "fits in $size" && return ;;
		10) ;;
		*) wrong "with $1=$size"; return 1 ;;
		esac
	done
	wrong "does not fit in $4"
}

# power_cut CLASS N SYNC	the pull stops at call N and the disk loses what it was not told to keep;
#				with SYNC another file was made durable just before, and the journal with it
power_cut()
{
	strike "$1" signal=KILL "$2"
	[ "$3" = 0 ] || { echo x >"$FAULT_DISK/other" && sync "$FAULT_DISK/other"; }
	python3 "$helpers/cut.py" "$FAULT_DISK" || return
	# Children of what was killed hold it a moment longer, in mount namespaces of their own too.
	until umount "$FAULT_DISK" 2>/dev/null; do sleep 0.02; done
	while [ -n "$(losetup -j "$SCRATCH/ext4")" ]; do sleep 0.02; done
	disk_mount || return
	qimage ls | grep -q bystander || wrong "another image is gone" || return
	recovers || wrong "power cut at call $2 of $1, sync $3: $(cat "$SCRATCH/err")"
}

# power_cuts ROUNDS	at points spread over the calls that change the disk, with another image there
power_cuts()
{
	disk_make 64 && disk_mount || return
	on_disk power_rounds "$1"
}

power_rounds()
{
	echo "$FAULT_CLASSES" | grep -e rename -e fsync -e mkdirat -e write -e unlinkat >"$SCRATCH/classes.power"
	while read -r class; do
		echo "$class $(calls "$class")"
	done <"$SCRATCH/classes.power" >"$SCRATCH/counts.power"
	fresh
	FAULT_SOURCE="oci:$(image small) bystander:1" fault_pull >/dev/null && sync -f "$FAULT_DISK" || return
	for round in $(seq "$1"); do
		set -- $(sed -n "$((round % 5 + 1))p" "$SCRATCH/counts.power")
		power_cut "$1" $((1 + round / 10 * 7919 % $2)) $((round / 5 % 2)) || return
		qimage rm fault:1 >/dev/null && sync -f "$FAULT_DISK" || return
	done
}
