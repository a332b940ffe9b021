#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pull.py ROUNDS REGISTRY CA STORE IMAGE... - pull into an empty store: ours beside its peers

Every round runs each tool once on each image. Wall time, CPU and the bytes written are of the command
and all its descendants; memory, the highest sum of their proportional set sizes, is taken in one more
round, since looking at it costs time. A ratio is ours to the best of the others, by the minimum.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

HELPERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers")


def tools(registry, ca, store):
    """Name, command, and what must be installed for it. {} is the image."""
    certs = os.path.dirname(ca)
    podman = f"--root {store}/podman --runroot {store}/run --storage-driver overlay"
    return [
        ("qpull", f"qpull -q --cacert={ca} {registry}/{{}}:1", "qpull"),
        ("skopeo + umoci", f"skopeo copy -q --src-cert-dir {certs} docker://{registry}/{{}}:1 oci:{store}/oci:1 && "
                           f"umoci unpack --image {store}/oci:1 {store}/bundle", "umoci"),
        ("podman pull", f"podman {podman} pull -q --cert-dir {certs} {registry}/{{}}:1", "podman"),
    ]


def wipe(store):
    subprocess.run(["umount", "-l", store + "/podman/overlay"], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(store, ignore_errors=True)
    os.makedirs(store + "/tmp")


def run(command, store, memory=False):
    wipe(store)
    facts = store + ".facts"
    environment = {**os.environ, "QBOX_STORE": store + "/qbox", "QBOX_RUN": store + "/qrun",
                   "TMPDIR": store + "/tmp", "HOME": store}
    result = subprocess.run(
        ["python3", HELPERS + "/measure.py", *(["--memory"] if memory else []), facts, "sh", "-c", command],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if result.returncode:
        sys.exit(f"pull.py: {command}: {result.stderr.decode()[-500:]}")
    with open(facts, encoding="ascii") as f:
        return json.load(f)


def best(results, name, key):
    return min(facts[key] for facts in results[name])


def print_image(image, names, results, peaks):
    print(f"\n{image:10} {'wall s: min':>12} {'median':>8} {'CPU s':>8} {'peak MiB':>9} {'written MB':>11}")
    for name in names:
        middle = statistics.median(facts["wall"] for facts in results[name])
        print(f"  {name:14} {best(results, name, 'wall'):6.2f} {middle:8.2f} {best(results, name, 'cpu'):8.2f}"
              f" {peaks[name] / 1024:9.1f} {best(results, name, 'written') / 1e6:11.1f}")
    others = names[1:]
    if others:
        ratios = {key: best(results, names[0], key) / min(best(results, name, key) for name in others)
                  for key in ("wall", "cpu")}
        memory = peaks[names[0]] / min(peaks[name] for name in others)
        print(f"  ratio to the best: wall {ratios['wall']:.2f}, CPU {ratios['cpu']:.2f}, memory {memory:.2f}")


def main():
    rounds, registry, ca, store = int(sys.argv[1]), *sys.argv[2:5]
    available = [t for t in tools(registry, ca, store) if shutil.which(t[2])]
    names = [name for name, _, _ in available]
    for image in sys.argv[5:]:
        results = {name: [] for name in names}
        peaks = {}
        for _ in range(rounds):
            for name, command, _ in available:
                results[name].append(run(command.format(image), store))
        for name, command, _ in available:
            peaks[name] = run(command.format(image), store, memory=True)["pss"]
        print_image(image, names, results, peaks)
    wipe(store)


main()
