#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""measure.py - run a command and say what it and all its descendants took

usage: measure.py [--memory] OUT COMMAND...

OUT gets one JSON object: wall and cpu in seconds; written, the bytes given to write(2) and its kin by all
of them (pipes too); status, as a shell shows it; with --memory also pss, the highest sum, in KiB, of the
proportional set sizes of all at one moment. That is sampled, which slows the command, so times are for
runs without. Exit status: the command's.
"""
import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
INTERVAL = 0.002


def descendants(pid):
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                for child in f.read().split():
                    yield child
                    yield from descendants(child)
    except (FileNotFoundError, ProcessLookupError):
        return


def pss(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("Pss:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def written():
    """Of this process and of the children it has waited for, and so on downwards."""
    with open("/proc/self/io", encoding="ascii") as f:
        return int(f.read().split("wchar: ")[1].split()[0])


def cpu():
    """Of the children, which may be older than this program if a script has become it by exec."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def sample(child):
    """Wait for CHILD while looking at the memory of all."""
    peak = 0
    while True:
        peak = max(peak, sum(pss(p) for p in descendants(os.getpid())))
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status, peak
        time.sleep(INTERVAL)


def reap():
    """What the command left running becomes ours; it counts too."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def main():
    args = sys.argv[1:]
    memory = args[:1] == ["--memory"]
    args = args[memory:]
    if len(args) < 2:
        sys.exit(__doc__)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, busy, start = written(), cpu(), time.monotonic()
    child = os.posix_spawnp(args[1], args[1:], os.environ)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda number, _: os.kill(child, number))
    if memory:
        status, peak = sample(child)
    else:
        status, peak = os.waitpid(child, 0)[1], 0
    wall = time.monotonic() - start
    reap()
    code = os.waitstatus_to_exitcode(status)
    code = code if code >= 0 else 128 - code
    facts = {"wall": round(wall, 4), "cpu": round(cpu() - busy, 4),
             "written": written() - before, "status": code}
    if memory:
        facts["pss"] = peak
    with open(args[0], "w", encoding="ascii") as f:
        print(json.dumps(facts), file=f)
    sys.exit(code)


main()
