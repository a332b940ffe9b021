#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mkstore.py - a store with one image in it, made of directories, without a pull

usage: mkstore.py STORE NAME CONFIG TREE...

NAME becomes docker.io/library/NAME:latest. CONFIG is JSON with what refs/ says of the image's config: env,
entrypoint, cmd, workdir, user. The TREEs are its layers, lowest first; they are copied.
"""
import hashlib
import json
import os
import shutil
import sys


def sha(data):
    return hashlib.sha256(data).hexdigest()


def write(path, data):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def main():
    store, name, config, *trees = sys.argv[1:]
    os.umask(0o077)
    layers = []
    for number, tree in enumerate(trees):
        layer = sha(f"{name} {number}".encode())
        layers.append(layer)
        where = f"{store}/layers/{layer}"
        os.makedirs(where, mode=0o700)
        shutil.copytree(tree, f"{where}/fs", symlinks=True)
        write(f"{where}/layer.json", b'{"v":1}')
    blobs = [json.dumps({"name": name, "part": part}).encode() for part in ("manifest", "config")]
    for blob in blobs:
        write(f"{store}/blobs/sha256/{sha(blob)}", blob)
    reference = f"docker.io/library/{name}:latest"
    write(f"{store}/refs/{sha(reference.encode())}", json.dumps({
        "v": 1, "reference": reference, "manifest": "sha256:" + sha(blobs[0]),
        "config_digest": "sha256:" + sha(blobs[1]), "platform": {
            "os": "linux", "architecture": "amd64", "variant": ""},
        "layers": layers, "size": 1, "created": 1, "pulled": 1, "config": json.loads(config),
    }).encode())
    os.makedirs(f"{store}/tmp", mode=0o700, exist_ok=True)
    write(f"{store}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


main()
