#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slice.py - cut the tree of one tar into layers, as if it had been built in steps

usage: slice.py TAR PREFIX 5        write PREFIX.0 to PREFIX.4
       slice.py --first OCI TAR     write the uncompressed lowest layer of an OCI layout with one image

Slices go by directory. Like an image builder's layers each begins with the directories above its
files; hard links stay with the file that they name.
"""
import gzip
import json
import shutil
import sys
import tarfile

PLACES = {"usr/lib/x86_64-linux-gnu": 1, "usr/lib": 2, "usr/share": 3, "usr/bin": 4, "usr/sbin": 4}


def place(path):
    parts = path.split("/")
    for length in (3, 2):
        if (found := PLACES.get("/".join(parts[:length]))) is not None and len(parts) > length:
            return found
    return 0


def add_parents(slice_, path, directories):
    parts = path.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        parent = "/".join(parts[:length])
        if parent in directories and parent not in slice_.seen:
            slice_.seen.add(parent)
            slice_.addfile(directories[parent])


def cut(source, prefix, count):
    slices = [tarfile.open(f"{prefix}.{n}", "w", format=tarfile.PAX_FORMAT) for n in range(count)]
    for slice_ in slices:
        slice_.seen = set()
    directories, home = {}, {}
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isdev():
                continue
            path = member.name.removeprefix("./")
            number = home.get(member.linkname.removeprefix("./")) if member.islnk() else place(path)
            home[path] = number
            if member.isdir():
                directories[path] = member
                if path in slices[number].seen:
                    continue
                slices[number].seen.add(path)
            add_parents(slices[number], path, directories)
            slices[number].addfile(member, archive.extractfile(member) if member.isreg() else None)
    for slice_ in slices:
        slice_.close()


def first(layout, out):
    def load(digest):
        with open(f"{layout}/blobs/{digest.replace(':', '/')}", "rb") as f:
            return json.load(f)

    with open(f"{layout}/index.json", "rb") as f:
        manifest = load(json.load(f)["manifests"][0]["digest"])
    blob = manifest["layers"][0]["digest"].replace(":", "/")
    with gzip.open(f"{layout}/blobs/{blob}") as packed, open(out, "wb") as f:
        shutil.copyfileobj(packed, f, 1 << 20)


if sys.argv[1] == "--first":
    first(*sys.argv[2:])
else:
    cut(sys.argv[1], sys.argv[2], int(sys.argv[3]))
