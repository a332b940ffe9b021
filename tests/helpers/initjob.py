#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""initjob.py - run an init as a shell with job control does, on a terminal

usage: initjob.py SCENARIO INIT ARG...

The program of INIT prints what it is told by signals and what it sees of the terminal; each
scenario prints facts, one a line:

    foreground  the program has the terminal, and gives it back
    interrupt   a typed Ctrl-C
    stop        a typed Ctrl-Z, then "fg", then a typed Ctrl-C
    background  started in the background the terminal stays with the shell; then "fg"
    winch       the terminal's size changes
    hangup      the terminal goes away, and the shell tells its job
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

PROGRAM = """
import os, signal
def say(text):
    os.write(3, (text + "\\n").encode())
def seen(number, frame):
    say("program got " + signal.Signals(number).name)
    if number == signal.SIGINT or number == signal.SIGHUP:
        os._exit(3)
for number in (signal.SIGINT, signal.SIGWINCH, signal.SIGHUP, signal.SIGCONT):
    signal.signal(number, seen)
say("program leads its group: %s" % (os.getpgrp() == os.getpid()))
say("program has the terminal: %s" % (os.tcgetpgrp(0) == os.getpgrp()))
say("ready")
while True:
    signal.pause()
"""

scenario, command = sys.argv[1], sys.argv[2:]
out = os.dup(1)  # the shell's own is the terminal
notes, notes_end = os.pipe()
typing, typed = os.pipe()  # what the shell wants typed


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([notes], [], [], 20)[0], "nothing came"
        byte = os.read(notes, 1)
        if not byte:
            break
        line += byte
    return line.decode().strip()


def type_key(key):
    os.write(typed, key)


def put(text):
    os.write(out, (text + "\n").encode())


def until(last):
    while (line := read_line()) != last:
        put(line)
    put(last)


def job(foreground):
    """Start the job as a shell does."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        if foreground:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpid())
        for number in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(notes_end, 3)
        os.execvp(command[0], command + [sys.executable, "-S", "-c", PROGRAM])
    return pid


def wait(pid):
    status = os.waitpid(pid, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        put("job stopped by " + signal.Signals(os.WSTOPSIG(status)).name)
    elif os.WIFSIGNALED(status):
        put("job killed by %d" % os.WTERMSIG(status))
    else:
        put("job ended with %d" % os.WEXITSTATUS(status))
        put("terminal given back: %s" % (os.tcgetpgrp(0) == pid))


def foreground(pid):
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
    until("program got SIGCONT")
    # The terminal was handed on before the signal was.
    put("terminal is with the job's program: %s" % (os.tcgetpgrp(0) not in (pid, os.getpgrp())))


def shell():
    signal.alarm(20)  # whatever hangs ends with us
    for number in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    pid = job(scenario != "background")
    until("ready")
    if scenario == "background":
        put("terminal stays with the shell: %s" % (os.tcgetpgrp(0) == os.getpgrp()))
        foreground(pid)
    if scenario == "stop":
        type_key(b"\x1a")
        wait(pid)
        foreground(pid)
    if scenario == "winch":
        type_key(b"w")
        until("program got SIGWINCH")
    if scenario == "hangup":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        type_key(b"h")
        signal.sigwait({signal.SIGHUP})
        os.killpg(pid, signal.SIGHUP)
        until("program got SIGHUP")
        put("job ended with %d" % os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
        return
    type_key(b"\x03")
    until("program got SIGINT")
    wait(pid)


pid, master = pty.fork()
if pid == 0:
    os.close(typing)
    shell()
    os._exit(0)
os.close(typed)
watch = [typing, master]
while watch:
    for fd in select.select(watch, [], [], 30)[0]:
        try:
            data = os.read(fd, 1024)
        except OSError:
            data = b""
        if not data:
            watch.remove(fd)
        elif fd == master:
            pass
        elif data == b"w":
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        elif data == b"h":
            watch.remove(master)
            os.close(master)
        else:
            os.write(master, data)
    if master not in watch:
        break
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
