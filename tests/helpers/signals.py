#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""signals.py - start a command, send it a signal when it prints "ready", show what it printed after that

usage: signals.py SIGNAL COMMAND ARG...

The exit status is the command's as a shell shows it. A container must have ended with its qrun.
"""
import signal
import subprocess
import sys

child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
assert child.stdout.readline() == b"ready\n"
child.send_signal(getattr(signal, "SIG" + sys.argv[1]))
# The pipe ends when the last process of the container has.
out = child.stdout.read()
sys.stdout.buffer.write(out)
status = child.wait(20)
sys.exit(status if status >= 0 else 128 - status)
