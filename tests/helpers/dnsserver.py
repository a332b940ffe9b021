#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dnsserver.py LOG - name servers at 127.0.0.1 to 127.0.0.3, port 53; needs a network namespace of its own

Sets its loopback interface up, goes to the background and prints its pid; ends by itself after an hour. Every name has the address 127.0.0.1 and no
IPv6 address, but for what its first label says. LOG gets "SERVER udp|tcp NAME TYPE" for each query.

  nx         no such name              servfail   server failure
  silent     no answer                 spoofed    the answer comes from another port
  big        cut off over UDP          wrongid    the answer has another id
  alias      through two aliases       second     only the second server answers
"""
import fcntl
import os
import selectors
import signal
import socket
import struct
import sys

LIFETIME = 3600
A = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def record(name, kind, data):
    return name + struct.pack(">HHIH", kind, 1, 1, len(data)) + data


def answer(server, query, tcp):
    """The response; None: say nothing."""
    end = query.index(b"\0", 12) + 5
    question, (kind,) = query[12:end], struct.unpack(">H", query[end - 4:end - 2])
    label = question[1:1 + question[0]].decode("latin-1")
    flags, records, here = 0x8180, [], b"\xc0\x0c"
    number = struct.unpack(">H", query[:2])[0]
    if label == "silent" or (label == "second" and server != 2):
        return None
    if label == "nx":
        flags |= 3
    elif label == "servfail":
        flags |= 2
    elif label == "big" and not tcp:
        flags |= 0x200
    elif kind == A:
        if label == "alias":
            first, last = b"\x01x\x04test\0", b"\x01y\x04test\0"
            records += [record(here, 5, first), record(first, 5, last)]
            here = last
        records.append(record(here, A, bytes([127, 0, 0, 1])))
    if label == "wrongid":
        number ^= 1
    return struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0) + question + b"".join(records)


def name_of(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]


def serve_udp(sock, server, log):
    query, source = sock.recvfrom(4096)
    name, kind = name_of(query)
    print(server, "udp", name, kind, file=log, flush=True)
    reply = answer(server, query, False)
    if reply and name.startswith("spoofed"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(reply, source)
    elif reply:
        sock.sendto(reply, source)


def serve_tcp(sock, server, log):
    connection = sock.accept()[0]
    with connection:
        connection.settimeout(5)
        query = connection.recv(4096)[2:]
        name, kind = name_of(query)
        print(server, "tcp", name, kind, file=log, flush=True)
        reply = answer(server, query, True)
        for byte in struct.pack(">H", len(reply)) + reply:
            connection.send(bytes([byte]))


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    selector = selectors.DefaultSelector()
    for server in 1, 2, 3:
        place = (f"127.0.0.{server}", 53)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(place)
        selector.register(udp, selectors.EVENT_READ, (serve_udp, server))
        selector.register(socket.create_server(place), selectors.EVENT_READ, (serve_tcp, server))
    child = os.fork()
    if child:
        print(child)
        return
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    signal.alarm(LIFETIME)
    with open(sys.argv[1], "a", encoding="utf-8") as log:
        while True:
            for key, _ in selector.select():
                try:
                    key.data[0](key.fileobj, key.data[1], log)
                except (OSError, ValueError, IndexError):
                    pass


main()
