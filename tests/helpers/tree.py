#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tree.py - write down a file tree, or a tar stream, so that two can be compared

usage: tree.py dump [--without=FIELD,...] DIR|FILE.tar|-
       tree.py compare [--without=FIELD,...] ONE TWO

dump prints one line a path, sorted: path, type, mode, owner, mtime in nanoseconds, xattrs, and

    regular file   size and SHA-256, for a file with several names also the first of them
    symbolic link  its target
    device         its numbers

compare prints what differs, "-" for ONE and "+" for TWO, and exits 1 if anything does. Fields that
can be left out: mode owner mtime dirtime xattr links root (all of the root directory).
"""
import hashlib
import os
import stat
import sys
import tarfile

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
TAR_TYPES = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "dir",
             tarfile.SYMTYPE: "link", tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block",
             tarfile.FIFOTYPE: "fifo"}
BINARY = "surrogateescape"


def digest(stream):
    total, size = hashlib.sha256(), 0
    while chunk := stream.read(1 << 20):
        total.update(chunk)
        size += len(chunk)
    return f"{size} {total.hexdigest()[:32]}"


def content(path, kind, info):
    if kind == "file":
        with open(path, "rb") as stream:
            return digest(stream)
    if kind == "link":
        return repr(os.readlink(path))
    if kind in ("char", "block"):
        return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
    return ""


def xattrs(path):
    return {name: os.getxattr(path, name, follow_symlinks=False).hex()
            for name in os.listxattr(path, follow_symlinks=False)}


def walk(root):
    """Path, relative to ROOT, of everything below it; mount points are not entered."""
    device = os.lstat(root).st_dev
    pending = [""]
    while pending:
        path = pending.pop()
        yield path
        info = os.lstat(os.path.join(root, path))
        if stat.S_ISDIR(info.st_mode) and info.st_dev == device:
            pending += [os.path.join(path, name) for name in os.listdir(os.path.join(root, path))]


def read_directory(root):
    inodes = {}
    for path in sorted(walk(root)):
        full = os.path.join(root, path)
        info = os.lstat(full)
        kind = TYPES[stat.S_IFMT(info.st_mode)]
        links = ""
        if kind != "dir" and info.st_nlink > 1:
            first = inodes.setdefault((info.st_dev, info.st_ino), path)
            links = f"{info.st_nlink} names, first {first!r}"
        yield path, {
            "type": kind, "mode": f"{stat.S_IMODE(info.st_mode):04o}",
            "owner": f"{info.st_uid}:{info.st_gid}", "mtime": str(info.st_mtime_ns),
            "xattr": str(sorted(xattrs(full).items())), "content": content(full, kind, info),
            "links": links}


def tar_facts(archive, member):
    kind = TAR_TYPES[member.type]
    if kind == "file":
        text = digest(archive.extractfile(member))
    elif kind == "link":
        text = repr(member.linkname)
    elif kind in ("char", "block"):
        text = f"{member.devmajor}:{member.devminor}"
    else:
        text = ""
    xattr = {key.removeprefix("SCHILY.xattr."): value.encode("utf-8", BINARY).hex()
             for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}
    # a float holds no nanoseconds: take the text of the header
    seconds, _, fraction = member.pax_headers.get("mtime", str(int(member.mtime))).partition(".")
    return {"type": kind, "mode": f"{member.mode:04o}", "owner": f"{member.uid}:{member.gid}",
            "mtime": str(int(seconds + fraction.ljust(9, "0")[:9])),
            "xattr": str(sorted(xattr.items())), "content": text, "links": ""}


def read_tar(stream):
    """A tar stream holds each path once and no whiteouts: it is a flattened tree, not a layer."""
    facts, names = {}, {}
    with tarfile.open(fileobj=stream, mode="r|", errors=BINARY) as archive:
        for member in archive:
            path = os.path.normpath("/" + member.name)[1:]
            if path in facts:
                sys.exit(f"tree.py: '{path}' comes twice")
            if member.islnk():
                target = os.path.normpath("/" + member.linkname)[1:]
                facts[path] = facts[target]
                names[target].append(path)
            else:
                facts[path] = tar_facts(archive, member)
                names[path] = [path]
    for target, group in names.items():
        if len(group) > 1:
            facts[target]["links"] = f"{len(group)} names, first {min(group)!r}"
    return sorted(facts.items())


def read(place):
    if place == "-":
        return read_tar(sys.stdin.buffer)
    if os.path.isdir(place):
        return read_directory(place)
    with open(place, "rb") as stream:
        return read_tar(stream)


def dump(place, without):
    for path, facts in read(place):
        if path == "" and "root" in without:
            continue
        if facts["type"] == "dir" and "dirtime" in without:
            facts["mtime"] = ""
        if facts["type"] == "link":
            facts["mode"] = ""  # the kernel's, always 0777
        yield path, " ".join([repr("/" + path), *(v for k, v in facts.items() if k not in without and v)])


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--without=")]
    words = [a for a in sys.argv[1:] if not a.startswith("--without=")]
    without = {f for o in options for f in o.removeprefix("--without=").split(",")}
    if len(words) == 2 and words[0] == "dump":
        for _, line in dump(words[1], without):
            print(line)
    elif len(words) == 3 and words[0] == "compare":
        one, two = (dict(dump(place, without)) for place in words[1:])
        differ = sorted(p for p in one.keys() | two.keys() if one.get(p) != two.get(p))
        for path in differ[:50]:
            print(*(f"{mark} {lines[path]}" for mark, lines in (("-", one), ("+", two)) if path in lines),
                  sep="\n")
        if differ:
            sys.exit(f"tree.py: {len(differ)} of {len(one.keys() | two.keys())} paths differ")
    else:
        sys.exit(__doc__)


main()
