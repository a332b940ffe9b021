#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""token.py CERTS LOG - a token server for docker-registry's "auth: token", on loopback with TLS.

Goes to the background and prints "PORT PID". CERTS holds server.crt and server.key (certs.sh). Everybody
may pull from any repository but those below private/, which need user:pass word. A line of LOG is
"SERVICE SCOPE USER" (USER is - for anonymous), written before the answer.
"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse

USER = "user:pass word"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ecdsa_raw(der):
    """The two numbers of an ECDSA signature, 32 bytes each, out of its DER form."""
    length = der[3]
    r, s = der[4:4 + length], der[6 + length:]
    return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))


def sign(certs, claims):
    with open(certs + "/server.crt") as f:
        certificate = "".join(line.strip() for line in f if "-----" not in line)
    header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", certs + "/server.key"],
                         input=text.encode(), capture_output=True, check=True).stdout
    return text + "." + base64url(ecdsa_raw(der))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def user(self):
        """The name after a check of the password; None if it is wrong, - if there is none."""
        value = self.headers.get("Authorization")
        if value is None:
            return "-"
        given = base64.b64decode(value.removeprefix("Basic ")).decode()
        return given.split(":")[0] if given == USER else None

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        service, scope = query.get("service", [""])[0], query.get("scope", [""])[0]
        user = self.user()
        print(service, scope, user or "refused", file=self.server.log, flush=True)
        if user is None:
            return self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]})
        access = []
        if scope:
            kind, name, actions = scope.split(":")
            if user != "-" or not name.startswith("private/"):
                allowed = [a for a in actions.split(",") if user != "-" or a == "pull"]
                access = [{"type": kind, "name": name, "actions": allowed}]
        now = int(time.time())
        token = sign(self.server.certs, {
            "iss": "qbox", "sub": user, "aud": service, "exp": now + 300, "nbf": now - 10,
            "iat": now, "jti": str(now), "access": access})
        return self.answer(200, {"token": token, "expires_in": 300})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def main():
    certs, log = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs + "/server.crt", certs + "/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.certs, server.log = certs, open(log, "w")
    child = os.fork()
    if child:
        print(server.server_port, child)
        return
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    server.serve_forever()


main()
