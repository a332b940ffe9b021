#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mkimg.py - make an image, or a bare tar, out of members written by hand, hostile ones too

usage: mkimg.py oci DIR[:TAG]      an OCI image layout (added to if it is there)
       mkimg.py docker FILE        a docker archive, as docker save writes it
       mkimg.py tar [FILE]         the tar stream of the only layer

The members are read from standard input, one a line; words as the shell splits them, with \\xNN, \\n, \\0
and the like inside. Nothing is checked: names, types and sizes can be anything.

    layer [plain|gzip]             start a layer (a first one is implied)
    dir NAME, file NAME, fifo NAME
    symlink NAME TARGET, hardlink NAME TARGET
    char NAME MAJOR MINOR, block NAME MAJOR MINOR
    type X NAME                    a header of type flag X
    bytes TEXT                     these bytes as they are, outside of the member structure
    garbage TEXT                   these bytes after the (compressed) layer
    cut N                          take N bytes from the end of the (compressed) layer
    flip N                         change the byte at N of the (compressed) layer
    rot N                          the same, after its digest was taken
    member                         begin a new gzip member here
    noend                          no end-of-archive blocks
    config KEY JSON                set KEY of the configuration ("config.Env" for a nested one)
    manifest KEY JSON              set KEY of the manifest ("layers.0.size" for a nested one)
    config-text TEXT               the whole configuration as it is

A member takes more words:

    mode=0644 uid=0 gid=0 mtime=N  (mtime may have a fraction: then it goes into a PAX record)
    data=TEXT fill=BYTES           content: text, or so many bytes that do not compress well
    zeros=BYTES                    content: so many zero bytes
    size=TEXT                      what stands in the size field, instead of the true size (octal text,
                                   or bytes for base 256); the content stays
    xattr:NAME=TEXT pax:KEY=TEXT   records of a PAX header; paxraw=TEXT: all of it as it is
    paxfill:KEY=BYTES              a record of so many bytes
    gnu                            long names in GNU members instead of PAX records
    sum=TEXT                       what stands in the checksum field
"""
import gzip
import hashlib
import io
import json
import os
import random
import shlex
import sys
import tarfile

BLOCK = 512
TYPES = {"dir": b"5", "file": b"0", "fifo": b"6", "symlink": b"2", "hardlink": b"1", "char": b"3",
         "block": b"4"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def unescape(word):
    """\\xNN and friends of Python; other characters stay what they are in UTF-8."""
    return word.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")


def filling(size):
    return random.Random(size).randbytes(size)


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def octal(number, width):
    if 0 <= number < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, number)
    return bytes([0x80]) + (number % 256 ** (width - 1)).to_bytes(width - 1, "big")


def pax_record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while length != len(str(length)) + len(body):
        length = len(str(length)) + len(body)
    return b"%d" % length + body


class Member:
    """One header and its content."""

    def __init__(self, flag, name, link=b"", device=(0, 0)):
        self.flag, self.name, self.link, self.device = flag, name, link, device
        self.mode = 0o755 if flag == b"5" else 0o644
        self.uid = self.gid = 0
        self.mtime = 1_700_000_000
        self.content, self.size, self.sum = b"", None, None
        self.pax, self.gnu = [], False

    def set(self, key, value):
        if key == "mode":
            self.mode = int(value, 8)
        elif key in ("uid", "gid"):
            setattr(self, key, int(value))
        elif key == "mtime":
            self.set_mtime(value.decode())
        elif key == "data":
            self.content = value
        elif key == "fill":
            self.content = filling(int(value))
        elif key == "zeros":
            self.content = bytes(int(value))
        elif key in ("size", "sum"):
            setattr(self, key, value)
        elif key.startswith("xattr:"):
            self.pax.append(pax_record(b"SCHILY.xattr." + key[6:].encode(), value))
        elif key.startswith("paxfill:"):
            self.pax.append(pax_record(key[8:].encode(), b"x" * int(value)))
        elif key.startswith("pax:"):
            self.pax.append(pax_record(key[4:].encode(), value))
        elif key == "paxraw":
            self.pax.append(value)
        elif key == "gnu":
            self.gnu = True
        else:
            sys.exit(f"mkimg.py: unknown word '{key}'")

    def set_mtime(self, text):
        self.mtime = int(float(text))
        if "." in text:
            self.pax.append(pax_record(b"mtime", text.encode()))

    def header(self, flag, name, link, size, magic):
        head = bytearray(BLOCK)
        head[0:100] = name[:100].ljust(100, b"\0")
        head[100:108], head[108:116] = octal(self.mode, 8), octal(self.uid, 8)
        head[116:124] = octal(self.gid, 8)
        head[124:136] = size if isinstance(size, bytes) else octal(size, 12)
        head[136:148] = octal(self.mtime, 12)
        head[148:156] = b" " * 8
        head[156:157] = flag
        head[157:257] = link[:100].ljust(100, b"\0")
        head[257:265] = magic
        head[329:337], head[337:345] = octal(self.device[0], 8), octal(self.device[1], 8)
        head[148:156] = self.sum or b"%06o\0 " % sum(head)
        return bytes(head)

    def encode(self):
        magic = b"ustar  \0" if self.gnu else b"ustar\00000"
        out, pax = b"", list(self.pax)
        for key, flag, text in ((b"path", b"L", self.name), (b"linkpath", b"K", self.link)):
            if len(text) <= 100 and b"\0" not in text:
                continue
            if self.gnu:
                out += self.header(flag, b"././@LongLink", b"", len(text) + 1, magic) + pad(text + b"\0")
            else:
                pax.append(pax_record(key, text))
        if pax:
            records = b"".join(pax)
            out += self.header(b"x", b"PaxHeaders/x", b"", len(records), magic) + pad(records)
        size = len(self.content) if self.size is None else self.size.ljust(12, b"\0")
        return out + self.header(self.flag, self.name, self.link, size, magic) + pad(self.content)


def flipped(data, position):
    if position is None:
        return data
    position %= len(data)
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1:]


class Layer:
    """The pieces of one layer's tar stream, and what is done to it after compression."""

    def __init__(self, compress=True):
        self.compress, self.members, self.end = compress, [[]], bytes(2 * BLOCK)
        self.after, self.cut, self.flip, self.rot = b"", 0, None, None

    def add(self, data):
        self.members[-1].append(data)

    def tar(self):
        return b"".join(b"".join(m) for m in self.members) + self.end

    def blob(self):
        pieces = [b"".join(m) for m in self.members]
        pieces[-1] += self.end
        data = b"".join(gzip.compress(p, 6, mtime=0) if self.compress else p for p in pieces)
        data = data[:len(data) - self.cut]
        return flipped(data, self.flip) + self.after

    def media_type(self):
        return "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if self.compress else "")


class Image:
    def __init__(self):
        self.layers, self.settings, self.config_text = [], [], None

    def layer(self):
        if not self.layers:
            self.layers.append(Layer())
        return self.layers[-1]

    def config(self):
        if self.config_text is not None:
            return self.config_text
        value = {"architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
                 "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin:/usr/bin"]},
                 "rootfs": {"type": "layers", "diff_ids": [sha256(x.tar()) for x in self.layers]}}
        self.apply("config", value)
        return json.dumps(value).encode()

    def manifest(self):
        """The manifest's bytes, and the blobs it names."""
        config, blobs = self.config(), [x.blob() for x in self.layers]
        value = {"schemaVersion": 2, "mediaType": MANIFEST,
                 "config": descriptor("application/vnd.oci.image.config.v1+json", config),
                 "layers": [descriptor(x.media_type(), b) for x, b in zip(self.layers, blobs)]}
        self.apply("manifest", value)
        return json.dumps(value).encode(), [config, *blobs]

    def apply(self, which, value):
        for target, path, text in self.settings:
            if target != which:
                continue
            *parents, last = path.split(".")
            place = value
            for key in parents:
                place = place[int(key) if isinstance(place, list) else key]
            place[int(last) if isinstance(place, list) else last] = json.loads(text)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def parse_member(words):
    if words[0] == "type":
        member = Member(unescape(words[1]), unescape(words[2]))
        rest = words[3:]
    else:
        count = {"symlink": 3, "hardlink": 3, "char": 4, "block": 4}.get(words[0], 2)
        flag, name = TYPES[words[0]], unescape(words[1])
        if count == 3:
            member = Member(flag, name, link=unescape(words[2]))
        elif count == 4:
            member = Member(flag, name, device=(int(words[2]), int(words[3])))
        else:
            member = Member(flag, name)
        rest = words[count:]
    for word in rest:
        key, _, value = word.partition("=")
        member.set(key, unescape(value))
    return member


def parse(lines):
    image = Image()
    for line in lines:
        words = shlex.split(line, comments=True)
        if not words:
            continue
        verb, rest = words[0], words[1:]
        if verb == "layer":
            image.layers.append(Layer(rest != ["plain"]))
        elif verb in ("config", "manifest"):
            image.settings.append((verb, rest[0], rest[1]))
        elif verb == "config-text":
            image.config_text = unescape(rest[0])
        elif verb == "bytes":
            image.layer().add(unescape(rest[0]))
        elif verb == "garbage":
            image.layer().after = unescape(rest[0])
        elif verb in ("cut", "flip", "rot"):
            setattr(image.layer(), verb, int(rest[0]))
        elif verb == "member":
            image.layer().members.append([])
        elif verb == "noend":
            image.layer().end = b""
        else:
            image.layer().add(parse_member(words).encode())
    return image


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def write_oci(place, image):
    directory, _, tag = place.partition(":")
    manifest, blobs = image.manifest()
    rot = {layer.blob(): layer.rot for layer in image.layers}
    for blob in [manifest, *blobs]:
        write(f"{directory}/blobs/sha256/{sha256(blob)[7:]}", flipped(blob, rot.get(blob)))
    write(f"{directory}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    entry = descriptor(MANIFEST, manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag or "latest"}
    entries = []
    if os.path.exists(f"{directory}/index.json"):
        with open(f"{directory}/index.json", encoding="utf-8") as f:
            entries = [e for e in json.load(f)["manifests"] if e["annotations"] != entry["annotations"]]
    index = {"schemaVersion": 2, "manifests": [*entries, entry]}
    write(f"{directory}/index.json", json.dumps(index).encode())


def write_docker(path, image):
    config = image.config()
    files = {sha256(config)[7:] + ".json": config}
    names = []
    for layer in image.layers:
        names.append(sha256(layer.tar())[7:] + "/layer.tar")
        files[names[-1]] = layer.tar()
    files["manifest.json"] = json.dumps([{"Config": sha256(config)[7:] + ".json",
                                          "RepoTags": ["test:latest"], "Layers": names}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("oci", "docker", "tar"):
        sys.exit(__doc__)
    image = parse(sys.stdin)
    image.layer()
    if sys.argv[1] == "oci":
        write_oci(sys.argv[2], image)
    elif sys.argv[1] == "docker":
        write_docker(sys.argv[2], image)
    elif len(sys.argv) == 3:
        write(sys.argv[2], image.layers[0].tar())
    else:
        sys.stdout.buffer.write(image.layers[0].tar())


if __name__ == "__main__":
    main()
