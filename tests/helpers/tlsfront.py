#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tlsfront.py CERTS BACKEND LOG - TLS servers of all kinds in front of one plain port on loopback

Reads lines "NAME CHAIN KEY [OPTION...]" and listens on a port for each (127.0.0.1 and ::1). Prints "NAME PORT"
lines, then "pid PID", and goes to the background; ends by itself after an hour. CHAIN and KEY are PEM files in CERTS.
What a client sends after the handshake goes to port BACKEND. LOG gets "NAME SNI VERSION CIPHER" for each handshake
that is done (SNI is - if there was none).

  min=1.0 max=1.3       versions spoken (1.2 and 1.3)
  ciphers=LIST          in OpenSSL's notation, for 1.2 and before
  curve=NAME            the only one for ECDHE
  client=required       a client certificate is required; optional: asked for
  sni=NAME              alert unrecognized_name unless NAME is asked for
  raw=HEX               no TLS: these bytes as soon as the client has spoken, then the end of the connection
  after=HEX             these bytes, unencrypted, in place of an answer
  silent                nothing is ever said
  serve=FILE            the content of FILE in CERTS is the answer, and its end that of the connection
  rude                  that end is without close_notify
"""
import os
import selectors
import signal
import socket
import ssl
import sys
import threading
import warnings

LIFETIME = 3600
warnings.simplefilter("ignore", DeprecationWarning)
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}


class Front:
    def __init__(self, certs, line):
        self.name, chain, key, *options = line.split()
        self.options = dict(o.split("=", 1) if "=" in o else (o, "") for o in options)
        self.certs, self.context, self.asked = certs, None, threading.local()
        if not {"raw", "silent"} & self.options.keys():
            self.context = self.make_context(f"{certs}/{chain}", f"{certs}/{key}")
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=16)]
        self.port = self.sockets[0].getsockname()[1]
        try:
            self.sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        except OSError:
            pass  # no IPv6 here

    def make_context(self, chain, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # level 0: what is weak or old must be on offer to be refused
        context.set_ciphers(self.options.get("ciphers", "DEFAULT") + ":@SECLEVEL=0")
        context.minimum_version = VERSIONS[self.options.get("min", "1.2")]
        context.maximum_version = VERSIONS[self.options.get("max", "1.3")]
        context.load_cert_chain(chain, key)
        if "curve" in self.options:
            context.set_ecdh_curve(self.options["curve"])
        if "client" in self.options:
            context.load_verify_locations(chain)
            required = self.options["client"] == "required"
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        context.sni_callback = self.server_name
        return context

    def server_name(self, _, name, __):
        self.asked.name = name
        if self.options.get("sni", name) != name:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None

    def connection(self, sock, backend, log):
        try:
            with sock:
                self.talk(sock, backend, log)
        except OSError:
            pass

    def talk(self, sock, backend, log):
        if self.context is None:
            sock.recv(16384)
            sock.sendall(bytes.fromhex(self.options.get("raw", "")))
            if "silent" in self.options:
                sock.recv(1)
            return
        self.asked.name = None
        plain = os.dup(sock.fileno())
        try:
            with self.context.wrap_socket(sock, server_side=True) as tls:
                print(self.name, self.asked.name or "-", tls.version(), tls.cipher()[0], file=log, flush=True)
                if "after" in self.options:
                    tls.recv(16384)
                    os.write(plain, bytes.fromhex(self.options["after"]))
                    tls.recv(16384)
                    return
                if "serve" in self.options:
                    self.serve(tls)
                    return
                relay(tls, backend)
        finally:
            os.close(plain)


    def serve(self, tls):
        tls.recv(16384)
        with open(f"{self.certs}/{self.options['serve']}", "rb") as f:
            tls.sendall(f.read())
        if "rude" not in self.options:
            tls.settimeout(1)
            tls.unwrap().close()


def relay(tls, backend):
    """Both directions at once, until one ends."""
    with socket.create_connection(("127.0.0.1", backend)) as plain:
        other = {tls: plain, plain: tls}
        while True:
            with selectors.DefaultSelector() as selector:
                for sock in other:
                    selector.register(sock, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in selector.select()]
            for sock in ready:
                data = sock.recv(65536)
                while sock is tls and tls.pending():
                    data += tls.recv(65536)
                if not data:
                    return
                other[sock].sendall(data)


def main():
    certs, backend, log = sys.argv[1:]
    fronts = [Front(certs, line) for line in sys.stdin if line.strip()]
    for front in fronts:
        print(front.name, front.port)
    sys.stdout.flush()
    child = os.fork()
    if child:
        print("pid", child)
        return
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    signal.alarm(LIFETIME)
    selector = selectors.DefaultSelector()
    for front in fronts:
        for sock in front.sockets:
            selector.register(sock, selectors.EVENT_READ, front)
    with open(log, "a", encoding="utf-8") as out:
        while True:
            for key, _ in selector.select():
                sock = key.fileobj.accept()[0]
                threading.Thread(target=key.data.connection, args=(sock, int(backend), out), daemon=True).start()


main()
