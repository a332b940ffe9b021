# SPDX-License-Identifier: MIT
# images.sh - real images as OCI layouts, made once and kept below $IMAGES; sourced
#
# image NAME	make it if it is missing and print its place, LAYOUT:TAG
#
#	busybox	busybox-static with links, 1 layer, by umoci
#	debian1	Debian minbase by mmdebstrap, 1 layer
#	debian6	the same in 6: 5 slices of the tree, and what umoci repack makes of changes to it
#	buildah	two layers by buildah from the busybox tree
#	small	2,000 small files
#	settle	layers that need the ones below (mkimg.py)
#	bench1, bench5	Debian with more packages, in 1 and in 5 layers; many: 50,000 small files
#
# Each is made aside and renamed, under a lock, so that what is there is whole.

helpers=${helpers:-$(pwd)/tests/helpers}
IMAGES=${IMAGES:-${BUILD:-build}/images}

image()
{
	mkdir -p "$IMAGES"
	if [ ! -d "$IMAGES/$1" ]; then
		(
			flock 9
			[ -d "$IMAGES/$1" ] && exit
			work=$(mktemp -d "$IMAGES/.new.XXXXXX")
			"image_$1" "$work" >"$work/log" 2>&1 && mv "$work/oci" "$IMAGES/$1" || {
				echo "images.sh: cannot make $1:" >&2
				tail -n 5 "$work/log" >&2
			}
			rm -rf "$work"
		) 9>"$IMAGES/.lock"
	fi
	[ -d "$IMAGES/$1" ] && echo "$IMAGES/$1:1"
}

# umoci_image WORK TAR...	an image of these layers, lowest first
umoci_image()
{
	umoci_work=$1
	shift
	umoci init --layout "$umoci_work/oci" && umoci new --image "$umoci_work/oci:1" || return
	for layer; do
		umoci raw add-layer --image "$umoci_work/oci:1" "$layer" || return
	done
	umoci config --image "$umoci_work/oci:1" --config.cmd /bin/sh --architecture amd64 --os linux \
		--config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin &&
	umoci gc --layout "$umoci_work/oci"
}

busybox_root()
{
	mkdir -p "$1/bin" "$1/dev" "$1/etc" "$1/proc" "$1/root" "$1/sys" &&
	mkdir -m 1777 "$1/tmp" &&
	cp "$(command -v busybox)" "$1/bin/busybox" &&
	for name in $("$1/bin/busybox" --list); do
		[ "$name" = busybox ] || ln -s busybox "$1/bin/$name" || return
	done
	ln "$1/bin/busybox" "$1/bin/linked"
	echo root:x:0:0:root:/root:/bin/sh >"$1/etc/passwd"
	echo root:x:0: >"$1/etc/group"
	chmod -R go=u-w "$1/bin" "$1/etc"
}

image_busybox()
{
	busybox_root "$1/root" && tar -C "$1/root" --numeric-owner -cf "$1/layer.tar" . &&
		umoci_image "$1" "$1/layer.tar"
}

# debian_tar WORK [PACKAGES]	its mounts must not be seen by a test beside it that looks whether the host changes
debian_tar()
{
	unshare -m mmdebstrap --quiet --variant=minbase ${2:+--include="$2"} \
		--dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$1/debian.tar"
}

image_debian1()
{
	debian_tar "$1" && umoci_image "$1" "$1/debian.tar"
}

image_debian6()
{
	debian=$(image_part debian1 "$1") &&
	python3 "$helpers/slice.py" "$debian" "$1/slice" 5 && umoci_image "$1" "$1"/slice.* &&
	umoci unpack --image "$1/oci:1" "$1/bundle" &&
	(
		cd "$1/bundle/rootfs" &&
		rm -rf usr/share/doc usr/share/man && mkdir -p usr/share/doc/new srv/data &&
		echo text >usr/share/doc/new/README && rm etc/issue && ln -s /proc/mounts etc/mtab.new &&
		mkfifo srv/data/fifo && mknod srv/data/zero c 1 5 && chown 1000:1000 srv/data &&
		chmod 2775 srv/data && echo x >srv/data/file && ln srv/data/file srv/data/same &&
		setfattr -n user.note -v hello srv/data/file && rm -rf var/cache && echo file >var/cache &&
		chmod 700 root
	) && umoci repack --image "$1/oci:1" "$1/bundle" && umoci gc --layout "$1/oci"
}

# image_part NAME WORK		the uncompressed first layer of an image that is made on the way
image_part()
{
	if [ ! -d "$IMAGES/$1" ]; then
		mkdir "$2/part" && "image_$1" "$2/part" >&2 && mv "$2/part/oci" "$IMAGES/$1" || return
	fi
	python3 "$helpers/slice.py" --first "$IMAGES/$1" "$2/part.tar" && echo "$2/part.tar"
}

image_buildah()
{
	busybox_root "$1/root" && mkdir "$1/more" && echo more >"$1/more/file" || return
	buildah="buildah --root $1/store --runroot $1/run --storage-driver vfs"
	container=$($buildah from scratch) &&
	$buildah copy "$container" "$1/root" / && $buildah config --cmd /bin/sh "$container" &&
	$buildah commit --rm "$container" first &&
	container=$($buildah from --pull-never localhost/first) &&
	$buildah copy "$container" "$1/more" /usr/share/more &&
	$buildah config --env GREETING=hello --workingdir /usr/share/more "$container" &&
	$buildah commit --rm --format docker "$container" "oci:$1/oci:1"
}

image_settle()
{
	python3 "$helpers/mkimg.py" oci "$1/oci:1" <<-'END'
		layer
		dir usr mode=0711 mtime=1000
		dir usr/lib mode=0751 mtime=2000 xattr:user.kept=yes
		file usr/lib/base data=base
		symlink lib usr/lib
		dir tmp mode=1777 mtime=3000
		dir srv mtime=4000
		dir srv/old mtime=5000
		file srv/old/gone data=gone
		file srv/old/kept data=kept mtime=6000
		layer
		file lib/upper data=upper
		file tmp/note data=note
		file srv/old/.wh.gone
		hardlink srv/again srv/old/kept
	END
}

image_small()
{
	python3 "$helpers/many.py" 2000 "$1/layer.tar" && umoci_image "$1" "$1/layer.tar"
}

image_many()
{
	python3 "$helpers/many.py" 50000 "$1/layer.tar" && umoci_image "$1" "$1/layer.tar"
}

BENCH_PACKAGES=ca-certificates,perl,python3-minimal,git,curl,procps,iproute2,vim-tiny,less

image_bench1()
{
	debian_tar "$1" "$BENCH_PACKAGES" && umoci_image "$1" "$1/debian.tar"
}

image_bench5()
{
	bench=$(image_part bench1 "$1") && python3 "$helpers/slice.py" "$bench" "$1/slice" 5 &&
		umoci_image "$1" "$1"/slice.*
}
