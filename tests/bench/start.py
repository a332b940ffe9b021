#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""start.py ROUNDS SCRATCH IMAGE_LAYOUT:TAG - start true, wait for it, clean up: ours beside its peers

Run in a mount namespace of its own. What is not installed, or refuses this machine, is named.
Wall time in milliseconds, round robin; not equal work: bwrap mounts no overlay and makes no cgroup.
"""
import json
import shutil
import statistics
import subprocess
import sys
import time


def prepare(scratch, image):
    """The busybox tree for those that want a directory, a bundle for crun, a store for podman and us."""
    subprocess.run(["umoci", "unpack", "--image", image, scratch + "/bundle"], check=True, capture_output=True)
    config = scratch + "/bundle/config.json"
    with open(config, encoding="utf-8") as f:
        spec = json.load(f)
    spec["process"].update(args=["/bin/true"], terminal=False)
    spec["process"].pop("rlimits", None)
    with open(config, "w", encoding="utf-8") as f:
        json.dump(spec, f)
    for command in (["qpull", "-q", "oci:" + image, "bench:1"],
                    ["skopeo", "copy", "-q", "oci:" + image,
                     f"containers-storage:[overlay@{scratch}/podman+{scratch}/podman-run]localhost/bench:1"]):
        if shutil.which(command[0]):
            subprocess.run(command, capture_output=True, check=False)


def podman(scratch):
    return ["--root", scratch + "/podman", "--runroot", scratch + "/podman-run", "--storage-driver", "overlay",
            "--cgroup-manager", "cgroupfs", "--runtime", "crun"]


def commands(scratch):
    root = scratch + "/bundle/rootfs"
    return {
        "fork and exec": [root + "/bin/busybox", "true"],
        "qrun --rm": ["qrun", "--rm", "--network", "none", "bench:1", "/bin/true"],
        "bwrap": ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--ro-bind", root, "/",
                  "--proc", "/proc", "--dev", "/dev", "/bin/true"],
        "crun run": ["crun", "--root", scratch + "/crun", "--cgroup-manager=cgroupfs", "run", "-b",
                     scratch + "/bundle", "bench"],
        "podman run --rm": ["podman", *podman(scratch), "run", "--rm", "--network", "none", "--ulimit",
                            "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "localhost/bench:1", "/bin/true"],
    }


def once(command):
    start = time.monotonic()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, check=False)
    wall = (time.monotonic() - start) * 1000
    return wall, result.returncode, result.stderr.decode().strip().splitlines()[-1:]


def main():
    rounds, scratch, image = int(sys.argv[1]), *sys.argv[2:]
    prepare(scratch, image)
    wanted, times = commands(scratch), {}
    for name, command in list(wanted.items()):
        if not shutil.which(command[0]):
            print(f"  {name}: not installed")
            del wanted[name]
            continue
        _, status, message = once(command)
        if status:
            print(f"  {name}: does not run here: {' '.join(message)[:150]}")
            del wanted[name]
    for _ in range(rounds):
        for name, command in wanted.items():
            times.setdefault(name, []).append(once(command)[0])
    print(f"\n{'start true':18} {'ms: min':>9} {'median':>9}")
    for name, values in times.items():
        print(f"  {name:16} {min(values):9.2f} {statistics.median(values):9.2f}")


main()
