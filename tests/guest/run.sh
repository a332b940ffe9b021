#!/bin/sh
# SPDX-License-Identifier: MIT
# Run one test of this directory in a machine of its own: Debian's cloud kernel in an emulator, an
# initramfs with minit as process 1, and NAME.test as its program, in a busybox shell.
#
# usage: tests/guest/run.sh NAME
#
# The test prints TAP on the console; guest.sh has t, as in tests/testing.sh. Lines of its head:
#
#   # status: N    the exit status of the test itself, which minit must name (0)
#   # end: TEXT    what the kernel says at the end (reboot: Power down)
#   # disk: SIZE   an ext4 disk as /dev/vda, checked after the end
#   # host: TEXT   what the disk's file /out must hold then
#
# The kernel is downloaded once, to $BUILD/guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
PATH=$PATH:/usr/sbin:/sbin
test=tests/guest/$1.test
modules='llc stp bridge veth libcrc32c nfnetlink nf_tables overlay
	virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk'

skip() {
	echo "ok 1 - $test # SKIP $1"
	exit 0
}
head_of() { sed -n "s/^# $1: //p" "$test"; }

[ "$(uname -m)" = x86_64 ] || skip "needs the emulator of an x86_64 machine on one"
for command in qemu-system-x86_64 busybox mke2fs; do
	command -v $command >/dev/null || skip "needs $command"
done
mkdir -p "$BUILD/guest"
guest=$(cd "$BUILD/guest" && pwd)

# One at a time makes what all need.
exec 9>"$guest/lock"
flock 9
if [ ! -f "$guest/kernel/done" ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -1)
	[ -n "$package" ] || skip "no package has the kernel"
	(cd "$guest" && apt-get -qq download "$package" >/dev/null 2>&1) || skip "the kernel cannot be downloaded"
	rm -rf "$guest/kernel"
	dpkg-deb -x "$guest/$package"_*.deb "$guest/kernel" && rm "$guest/$package"_*.deb || exit 1
	touch "$guest/kernel/done"
fi
if [ ! -f "$guest/initramfs.gz" ] ||
	[ -n "$(find "$BUILD/qbox" tests/guest initramfs -newer "$guest/initramfs.gz")" ]; then
	rm -rf "$guest/tree"
	mkdir -p "$guest/tree/bin" "$guest/tree/etc" "$guest/tree/lib/modules" "$guest/tree/tests"
	cp "$(command -v busybox)" "$guest/tree/bin/busybox"
	for name in $(busybox --list); do
		[ "$name" = busybox ] || ln -s busybox "$guest/tree/bin/$name"
	done
	for name in $modules; do
		find "$guest/kernel/lib/modules" -name "$name.ko" -exec cp {} "$guest/tree/lib/modules" \;
		echo "/lib/modules/$name.ko"
	done >"$guest/tree/etc/modules"
	cp tests/guest/*.test tests/guest/guest.sh "$guest/tree/tests"
	initramfs/build.sh "$BUILD/qbox" "$guest/initramfs.gz" "$guest/tree" >/dev/null || exit 1
fi
flock -u 9

work=$(mktemp -d "${TMPDIR:-/tmp}/qbox-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
disk=$(head_of disk)
if [ -n "$disk" ]; then
	truncate -s "$disk" "$work/disk" && mke2fs -q -t ext4 "$work/disk" || exit 1
fi
# A restart ends the emulator, too.
timeout -k 5 "${GUEST_SECONDS:-240}" qemu-system-x86_64 -accel tcg -cpu max -m 512 -nic none -nographic \
	-no-reboot -kernel "$guest"/kernel/boot/vmlinuz-* -initrd "$guest/initramfs.gz" \
	${disk:+-drive "file=$work/disk,format=raw,if=virtio"} \
	-append "console=ttyS0 quiet panic=-1 hostname=guest A=1 -- /bin/sh /tests/$1.test" \
	</dev/null >"$work/raw" 2>"$work/errors"
status=$?
# The firmware moves the cursor about; the kernel's lines begin with their time.
tr -d '\r' <"$work/raw" | sed 's/^.*\x1b[^a-zA-Z]*[a-zA-Z]//' >"$work/console"
grep -aE '^(ok|not ok|#) ' "$work/console"
number=$(grep -acE '^(ok|not ok) ' "$work/console")
failed=

# expect NAME COMMAND...: one more case.
expect() {
	number=$((number + 1))
	name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok $number - $name"
		return
	fi
	echo "not ok $number - $name"
	sed 's/^/# /' "$work/out" | tail -5
	failed=1
}
minit_says=$(head_of status)
kernel_says=$(head_of end)
expect "the emulator ends" test $status = 0
expect "minit names the status" grep -aqx "minit: '/bin/sh' ended with status ${minit_says:-0}" "$work/console"
expect "the kernel ends the machine" grep -aq "${kernel_says:-reboot: Power down}" "$work/console"
expect "minit has nothing to complain of" sh -c "! grep -a '^minit: ' '$work/console' | grep -v ' ended with status '"
if [ -n "$disk" ]; then
	expect "the disk is clean" e2fsck -n "$work/disk"
	expect "as if it was unmounted" sh -c "dumpe2fs -h '$work/disk' 2>&1 | grep -q 'Filesystem state: *clean' &&
		! dumpe2fs -h '$work/disk' 2>&1 | grep needs_recovery"
	expect "and holds what was written" test "$(debugfs -R 'cat /out' "$work/disk" 2>/dev/null)" = "$(head_of host)"
fi
echo "1..$number"
if [ -n "$failed" ] || grep -aq '^not ok' "$work/console"; then
	cat "$work/console" "$work/errors" | tail -n 40 | sed 's/^/# console: /'
	exit 1
fi
