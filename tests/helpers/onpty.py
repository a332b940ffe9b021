#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""onpty.py - run a command on a terminal of its own and show what appears there

usage: onpty.py [-i TEXT] [-e] [-c N] COMMAND ARG...

    -i TEXT  type TEXT
    -e       then type the end-of-file character
    -c N     after "ready", type Ctrl-C N times

Echo is off. The exit status is the command's as a shell shows it.
"""
import getopt
import os
import pty
import select
import sys
import termios
import time

options, command = getopt.getopt(sys.argv[1:], "i:ec:")
options = dict(options)
pid, master = pty.fork()
if pid == 0:
    attributes = termios.tcgetattr(0)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, attributes)
    os.execvp(command[0], command)
typed = False
interrupts = int(options.get("-c", 0))
seen = b""
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    if not typed and "-i" in options:
        time.sleep(0.1)  # the terminal's own end must be set up first
        os.write(master, options["-i"].encode() + (b"\x04" if "-e" in options else b""))
        typed = True
    ready = select.select([master], [], [], 0.2)[0]
    if interrupts and b"ready" in seen:
        os.write(master, b"\x03")
        interrupts -= 1
    if not ready:
        continue
    try:
        data = os.read(master, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
    sys.stdout.buffer.write(data)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
