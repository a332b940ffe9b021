#!/bin/sh
# SPDX-License-Identifier: MIT
# Get the sources named in VERSIONS, verify them and unpack them into DIR/src.
#
# usage: vendor/fetch.sh DIR
#
# A tarball is taken from vendor/cache/ or DIR/tarballs/ when it is there, else from Debian's
# archive, with the addresses and keys this system already uses. apt gets a private
# configuration below DIR; the system's lists and caches are neither written nor locked.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/src" "$1/tarballs"
dir=$(cd "$1" && pwd)
apt=$dir/apt

die() { echo "fetch: $1" >&2; exit 1; }

verified() { [ -f "$1" ] && echo "$2  $1" | sha256sum -c --status; }

# The system's binary package entries for Debian itself, as source entries.
apt_sources() {
	find /etc/apt/sources.list /etc/apt/sources.list.d -maxdepth 1 -name '*.list' \
		-exec grep -hE '^deb[[:space:]].*/debian(-security)?(\.list)?/?[[:space:]]' {} + \
		2>/dev/null | sed 's/^deb/deb-src/' >"$apt/parts/all.list" || :
	find /etc/apt/sources.list.d -maxdepth 1 -name '*.sources' \
		-exec awk -v RS= -v ORS='\n\n' '
			/(^|\n)Enabled: *no/ { next }
			!/(^|\n)URIs:[^\n]*\/debian(-security)?(\.list)?\/?([ \n]|$)/ { next }
			{ sub(/(^|\n)Types:[^\n]*/, "\nTypes: deb-src"); print }' {} + \
		2>/dev/null >"$apt/parts/all.sources" || :
	[ -s "$apt/parts/all.list" ] || [ -s "$apt/parts/all.sources" ] ||
		die "no Debian archive is configured: put the tarballs of vendor/VERSIONS into vendor/cache"
}

apt_setup() {
	command -v apt-get >/dev/null ||
		die "apt-get is missing: put the tarballs of vendor/VERSIONS into vendor/cache"
	rm -rf "$apt"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
	apt_sources
	# Proxies and retries of the system are kept, its hooks are not.
	{
		apt-config dump | grep -E '^Acquire::(https?|tor|Retries|Check-|ForceIP)' || :
		cat <<-EOF
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$apt/parts";
		Dir::State::lists "$apt/lists";
		Dir::Cache "$apt/cache";
		APT::Sandbox::User "$(id -un)";
		EOF
	} >"$apt/apt.conf"
	APT_CONFIG=$apt/apt.conf
	export APT_CONFIG
	apt-get -qq update
}

# download PACKAGE FILE SHA256: FILE from whichever revision of PACKAGE has it.
download() {
	[ -n "${APT_CONFIG-}" ] || apt_setup
	for version in $(apt-cache showsrc "$1" | sed -n 's/^Version: //p' | sort -u); do
		uri=$(apt-get -qq source --print-uris --only-source "$1=$version" |
			sed -n "s|^'\([^']*\)' $2 .*|\1|p")
		[ -n "$uri" ] || continue
		/usr/lib/apt/apt-helper -qq download-file "$uri" "$dir/tarballs/$2" "SHA256:$3"
		return
	done
	die "no source package revision of $1 has $2"
}

# install_source NAME PACKAGE FILE SHA256
install_source() {
	tarball=$here/cache/$3
	[ -f "$tarball" ] || tarball=$dir/tarballs/$3
	verified "$tarball" "$4" || {
		[ ! -f "$here/cache/$3" ] || die "vendor/cache/$3 does not have the SHA-256 of VERSIONS"
		download "$2" "$3" "$4"
		verified "$tarball" "$4" || die "$3 does not have the SHA-256 of VERSIONS"
	}
	rm -rf "$dir/src/$1" "$dir/src/$1.new"
	mkdir "$dir/src/$1.new"
	tar -xf "$tarball" -C "$dir/src/$1.new" --strip-components=1 --no-same-owner
	for patch in "$here/patches/$1"-*.patch; do
		[ ! -f "$patch" ] || patch -s -d "$dir/src/$1.new" -p1 <"$patch"
	done
	mv "$dir/src/$1.new" "$dir/src/$1"
}

grep -v '^#' "$here/VERSIONS" | {
	while read -r name _ package file _ sha256; do
		install_source "$name" "$package" "$file" "$sha256"
	done
	rm -rf "$apt"
}
