#!/bin/sh
# SPDX-License-Identifier: MIT
# Install what build, demo and tests need: as root on Debian, else print the list.
# Quick when nothing is missing. The system's package sources are used as they are.
set -eu

build='gcc make libc6-dev linux-libc-dev tcl dpkg-dev patch xz-utils bzip2'
tests='docker-registry skopeo umoci buildah busybox-static mmdebstrap openssl apache2-utils attr
	strace python3 clang libclang-rt-14-dev shellcheck cppcheck clang-format curl file e2fsprogs
	binutils procps tini qemu-system-x86 cpio'

# shellcheck disable=SC2086 # word splitting is wanted
installed=$(dpkg-query -Wf '${Package} ${db:Status-Status}\n' $build $tests 2>/dev/null || :)
missing=
for package in $build $tests; do
	case $installed in
	*"$package installed"*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "setup: packages are missing; as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
install() {
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends $missing >/dev/null
}
echo "setup: installing$missing" >&2
install 2>/dev/null || { apt-get -qq update && install; }
