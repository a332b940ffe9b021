#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""orphans.py PID SIGNAL - send SIGNAL to a process and wait until all its descendants are gone too

Prints how many there were. Those that still live after 10 seconds are named, and it exits 1.
"""
import os
import select
import sys


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = [int(child) for child in f.read().split()]
    except FileNotFoundError:  # one that came to its end by itself
        return
    for child in children:
        yield child
        yield from descendants(child)


def handles_of(pids):
    for pid in pids:
        try:
            yield pid, os.pidfd_open(pid)
        except ProcessLookupError:
            pass


def main():
    pid, number = map(int, sys.argv[1:])
    handles = dict(handles_of(descendants(pid)))
    os.kill(pid, number)
    alive = []
    for process, handle in handles.items():
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(10_000):
            alive.append(process)
    print(len(handles))
    if alive:
        sys.exit(f"orphans.py: still alive: {alive}")


main()
