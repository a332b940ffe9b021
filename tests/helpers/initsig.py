#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""initsig.py - which signals an init passes on to its program

usage: initsig.py INIT ARG...

Starts INIT ARG... with a program that prints the number of each signal it gets, sends every signal
but KILL, STOP, CHLD and libc's 32 and 33, and prints those that did not arrive. An init
that is killed by one is started again.
"""
import os
import select
import signal
import subprocess
import sys
import time

CHILD = """
import os, signal
def seen(number, frame):
    os.write(1, b"%d\\n" % number)
for number in range(1, 65):
    try:
        signal.signal(number, seen)
    except (OSError, ValueError):
        pass
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""


def start():
    init = subprocess.Popen(sys.argv[1:] + [sys.executable, "-S", "-c", CHILD],
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0)
    assert init.stdout.readline() == b"ready\n"
    return init, int(open(f"/proc/{init.pid}/task/{init.pid}/children").read())


def arrives(init, number):
    init.send_signal(number)
    deadline = time.monotonic() + 3
    while init.poll() is None and time.monotonic() < deadline:
        if select.select([init.stdout], [], [], 0.05)[0]:
            return int(init.stdout.readline()) == number
    return False


init, program = start()
missing = []
for number in range(1, 65):
    if number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33):
        continue
    if not arrives(init, number):
        missing.append(number)
    if init.poll() is not None:
        os.kill(program, signal.SIGKILL)
        init, program = start()
os.kill(program, signal.SIGKILL)
status = init.wait(20)
print(" ".join(["missing:"] + [str(number) for number in missing]))
sys.exit(status != 128 + signal.SIGKILL)
