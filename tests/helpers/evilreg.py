#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""evilreg.py - a registry on loopback that does what a script tells it, mostly lies

usage: evilreg.py [--tls CERTS] [--image OCI] SCRIPT LOG

Prints "PORT PID" and goes to the background; ends by itself after an hour. It serves one image (of an OCI
layout, else a small one of its own: a file of 300,000 random bytes and a few others) under every
repository and tag, truthfully, as far as the lines of SCRIPT do not change that. SCRIPT is read again when
it changes; counters begin anew then. LOG gets a line for each request, before it is answered:

    METHOD TARGET [Name: value] [Name: value] ...

A line of SCRIPT is one of these; words as the shell splits them, with \\xNN and the like inside. KIND is
manifest, config, layer (blobs), token, or any. TIMES: only the first so many of that kind.

  the image
    manifest-edit PATH JSON    change a part: "layers.0.size 5"; the digest follows
    config-edit PATH JSON      the same in the configuration; the manifest follows
    manifest-text TEXT         serve this instead; config-text: the same
    manifest-pad N             spaces at its end, up to N bytes; config-pad: the same
    layer-is-config            the manifest names the configuration as its layer
    layer-text TEXT            a layer of these bytes; layer-empty: of none
    layers N                   the layer N times over, with as many diff ids
    index DEPTH [PLATFORM...]  so many indexes above it, for these platforms (linux/amd64)
  the bytes
    flip KIND N                the lowest bit of the byte at N; serve KIND TEXT: other bytes
    cut KIND N, grow KIND N    N bytes less, more, in agreement with the Content-Length
    chunked KIND               in chunks of 1,000 bytes, without a Content-Length
    piece KIND N               N bytes a segment
  the answer
    header KIND NAME VALUE     put in place of the one of that name; without VALUE: taken away
    status KIND CODE TIMES [NAME VALUE]   an error; TIMES 0: always
    raw KIND TEXT              these bytes, then the connection is closed
    flood KIND HEAD REPEAT N   HEAD, then N times REPEAT (a header, a 1xx), then it is closed
    redirect KIND LOCATION TIMES          307; "{target}" is the request's; TIMES 0: always
  authentication
    basic USER:PASSWORD        wanted for everything below /v2/
    bearer USER:PASSWORD       a token is wanted; /token gives it, to all if the rest is empty
    challenge TEXT             answer 401 with this WWW-Authenticate, always
    token-text TEXT            what /token answers
  the network
    drop KIND K TIMES          close after K bytes of the body (-1: before the head)
    stall KIND K TIMES         say nothing more after K bytes, until the client goes
    hold KIND K FIFO TIMES     wait after K bytes until FIFO is opened for writing and closed
    range LIE                  to a Range request: 200, 416, none, other, total, shift, short, multi
"""
import base64
import hashlib
import json
import os
import re
import shlex
import signal
import socket
import ssl
import struct
import sys
import threading
import time

import mkimg

LIFETIME = 3600
INDEX = "application/vnd.oci.image.index.v1+json"


def own_image():
    image = mkimg.parse(["dir etc", "file etc/hostname data='evil\\n'", "file data fill=300000",
                         "symlink bin usr/bin", "file usr/bin/tool mode=0755 data=tool"])
    manifest, (config, layer) = image.manifest()
    return manifest, config, [layer]


def load_image(layout):
    def blob(item):
        with open(f"{layout}/blobs/{item['digest'].replace(':', '/')}", "rb") as f:
            return f.read()

    with open(f"{layout}/index.json", "rb") as f:
        manifest = blob(json.load(f)["manifests"][0])
    value = json.loads(manifest)
    return manifest, blob(value["config"]), [blob(item) for item in value["layers"]]


def edit(value, path, text):
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = value
    for key in parents:
        place = place[key]
    place[last] = json.loads(text)


def action(name):
    """The method that a line of the script calls."""
    return "do_" + name.replace("-", "_")


def of_kind(method):
    """Mark the lines whose first word says which answers are meant."""
    method.of_kind = True
    return method


class Content:
    """The image as the script wants it: documents by name, blobs by digest."""

    def __init__(self, image, steps):
        self.manifest, self.config, self.layers = image[0], image[1], list(image[2])
        self.blobs, self.documents = {}, {}
        self.top = None
        for name, args in steps:
            method = getattr(self, action(name), None)
            if method:
                method(*args)
        self.documents[mkimg.sha256(self.manifest)] = self.manifest
        self.top = self.top or self.manifest
        self.blobs.update({mkimg.sha256(b): ("layer", b) for b in self.layers})
        self.blobs[mkimg.sha256(self.config)] = ("config", self.config)
        self.name_unreachable()

    def name_unreachable(self):
        """A digest or size in the manifest that is a lie names the true bytes all the same."""
        try:
            value = json.loads(self.manifest)
            self.blobs.setdefault(value["config"]["digest"], ("config", self.config))
            for item, blob in zip(value["layers"], self.layers):
                self.blobs.setdefault(item["digest"], ("layer", blob))
        except (ValueError, KeyError, TypeError, RecursionError):
            pass

    def set_config(self, config):
        self.config = config
        value = json.loads(self.manifest)
        value["config"].update(digest=mkimg.sha256(config), size=len(config))
        self.manifest = json.dumps(value).encode()

    def set_layers(self, layers, diff_ids):
        self.layers = layers
        value = json.loads(self.manifest)
        value["layers"] = [{**value["layers"][0], "digest": mkimg.sha256(b), "size": len(b)} for b in layers]
        self.manifest = json.dumps(value).encode()
        self.do_config_edit("rootfs.diff_ids", json.dumps(diff_ids))

    def do_manifest_edit(self, path, text):
        value = json.loads(self.manifest)
        edit(value, path, text)
        self.manifest = json.dumps(value).encode()

    def do_config_edit(self, path, text):
        value = json.loads(self.config)
        edit(value, path, text)
        self.set_config(json.dumps(value).encode())

    def do_manifest_text(self, text):
        self.manifest = mkimg.unescape(text)

    def do_config_text(self, text):
        self.set_config(mkimg.unescape(text))

    def do_manifest_pad(self, size):
        self.manifest = self.manifest.ljust(int(size))

    def do_config_pad(self, size):
        self.set_config(self.config.ljust(int(size)))

    def do_layer_is_config(self):
        value = json.loads(self.manifest)
        value["layers"][0].update(digest=value["config"]["digest"], size=value["config"]["size"])
        self.manifest = json.dumps(value).encode()

    def do_layer_text(self, text):
        layer = mkimg.unescape(text)
        self.set_layers([layer], [mkimg.sha256(layer)])

    def do_layer_empty(self):
        self.do_layer_text("")

    def do_layers(self, count):
        diff_ids = json.loads(self.config)["rootfs"]["diff_ids"]
        self.set_layers(self.layers * int(count), diff_ids * int(count))

    def do_index(self, depth, *platforms):
        document, media_type = self.manifest, mkimg.MANIFEST
        for _ in range(int(depth)):
            self.documents[mkimg.sha256(document)] = document
            entries = []
            for platform in platforms or ["linux/amd64"]:
                system, arch, *variant = platform.split("/")
                entries.append({**mkimg.descriptor(media_type, document), "platform": {
                    "os": system, "architecture": arch, **({"variant": variant[0]} if variant else {})}})
            document = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
            media_type = INDEX
        self.top = document
        self.documents[mkimg.sha256(document)] = document


class Request:
    def __init__(self, head):
        first, *lines = head.split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = [line.split(": ", 1) for line in lines if ": " in line]

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def line(self):
        return " ".join([self.method, self.target, *(f"[{k}: {v}]" for k, v in self.headers)])


class Answer:
    """Status, headers and body; what the network does to them."""

    def __init__(self, status, kind, body=b"", **headers):
        self.status, self.kind, self.body = status, kind, body
        self.headers = {"Content-Length": str(len(body))}
        self.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
        self.raw, self.piece, self.stop, self.chunked = None, 1 << 20, None, False

    def head(self):
        lines = [f"HTTP/1.1 {self.status} {'OK' if self.status < 300 else 'No'}"]
        lines += [f"{k}: {v}" for k, v in self.headers.items()]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def data(self):
        if not self.chunked:
            return self.body
        pieces = [self.body[i:i + 1000] for i in range(0, len(self.body), 1000)]
        return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in [*pieces, b""])

    def set_body(self, body):
        self.body = body
        self.headers["Content-Length"] = str(len(body))


class Script:
    """One state of the script file: the image, and what is done to each answer."""

    def __init__(self, image, text):
        self.steps = [(w[0], w[1:]) for w in (shlex.split(line, comments=True) for line in text.splitlines())
                      if w]
        for name, _ in self.steps:
            if not hasattr(Content, action(name)) and not hasattr(self, action(name)):
                sys.exit(f"evilreg.py: unknown line '{name}'")
        self.content = Content(image, self.steps)
        self.counts, self.lock = {}, threading.Lock()

    def first(self, step, times):
        """Is this one of the first TIMES (0: all) that STEP meets?"""
        with self.lock:
            self.counts[step] = self.counts.get(step, 0) + 1
            return times in ("0", 0) or self.counts[step] <= int(times)

    def truth(self, request):
        path = request.target.split("?")[0]
        if path == "/token":
            return Answer(200, "token", b'{"token":"TOKEN","expires_in":300}', Content_Type="application/json")
        if found := re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", path):
            name = found[3].replace("%3A", ":")
            if found[2] == "manifests":
                return self.document(name)
            if name in self.content.blobs:
                return self.blob(request, *self.content.blobs[name])
        status = 200 if path == "/v2/" else 404
        return Answer(status, "other", b'{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing"}]}')

    def document(self, name):
        text = self.content.documents.get(name) if ":" in name else self.content.top
        if text is None:
            return Answer(404, "manifest", b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"none"}]}')
        try:
            media_type = json.loads(text).get("mediaType", mkimg.MANIFEST)
        except (ValueError, AttributeError, RecursionError):
            media_type = mkimg.MANIFEST
        return Answer(200, "manifest", text, Content_Type=str(media_type),
                      Docker_Content_Digest=mkimg.sha256(text))

    def blob(self, request, kind, data):
        wanted = re.fullmatch(r"bytes=(\d+)-", request.header("Range") or "")
        if not wanted:
            return Answer(200, kind, data, Content_Type="application/octet-stream")
        start = int(wanted[1])
        return Answer(206, kind, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")

    def answer(self, request):
        answer = self.truth(request)
        for number, (name, args) in enumerate(self.steps):
            method = getattr(self, action(name), None)
            if method is None:
                continue
            if hasattr(method, "of_kind"):
                if args[0] not in (answer.kind, "any"):
                    continue
                args = args[1:]
            answer = method(number, request, answer, *args) or answer
        return answer

    # the bytes

    @of_kind
    def do_flip(self, _, request, answer, position):
        n = int(position) % len(answer.body)
        if answer.status == 200:
            answer.body = answer.body[:n] + bytes([answer.body[n] ^ 1]) + answer.body[n + 1:]

    @of_kind
    def do_serve(self, _, request, answer, text):
        answer.set_body(mkimg.unescape(text))

    @of_kind
    def do_cut(self, _, request, answer, count):
        answer.set_body(answer.body[:-int(count)])

    @of_kind
    def do_grow(self, _, request, answer, count):
        answer.set_body(answer.body + bytes(int(count)))

    @of_kind
    def do_chunked(self, _, request, answer):
        answer.chunked = True
        answer.headers.pop("Content-Length", None)
        answer.headers["Transfer-Encoding"] = "chunked"

    @of_kind
    def do_piece(self, _, request, answer, size):
        answer.piece = int(size)

    # the answer

    @of_kind
    def do_header(self, _, request, answer, name, *value):
        answer.headers.pop(name, None)
        if value:
            answer.headers[name] = mkimg.unescape(value[0]).decode("latin-1")

    @of_kind
    def do_status(self, step, request, answer, code, times, *header):
        if self.first(step, times):
            body = b'{"errors":[{"code":"X","message":"scripted \\u001b[31mtrouble"}]}'
            answer = Answer(int(code), answer.kind, body)
            if header:
                answer.headers[header[0]] = header[1]
        return answer

    @of_kind
    def do_raw(self, _, request, answer, text):
        answer.raw = [mkimg.unescape(text)]

    @of_kind
    def do_flood(self, _, request, answer, head, repeat, count):
        answer.raw = (mkimg.unescape(head if n < 0 else repeat) for n in range(-1, int(count)))

    @of_kind
    def do_redirect(self, step, request, answer, location, times):
        if self.first(step, times):
            return Answer(307, answer.kind, Location=location.replace("{target}", request.target))
        return None

    # authentication

    def refuse(self, challenge):
        body = b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
        return Answer(401, "other", body, WWW_Authenticate=challenge)

    def do_basic(self, _, request, answer, secret):
        wanted = "Basic " + base64.b64encode(secret.encode()).decode()
        if request.header("Authorization") != wanted:
            return self.refuse('Basic realm="evil"')
        return None

    def do_bearer(self, _, request, answer, secret):
        if answer.kind == "token":
            wanted = "Basic " + base64.b64encode(secret.encode()).decode()
            if secret and request.header("Authorization") != wanted:
                return self.refuse('Basic realm="evil"')
        elif request.header("Authorization") != "Bearer TOKEN":
            return self.refuse(f'Bearer realm="{self.origin}/token",service="evil reg",'
                               f'scope="repository:{request.target.split("/")[2]}:pull"')
        return None

    def do_challenge(self, _, request, answer, text):
        return None if answer.kind == "token" else self.refuse(text.replace("{origin}", self.origin))

    def do_token_text(self, _, request, answer, text):
        if answer.kind == "token" and answer.status == 200:
            answer.set_body(mkimg.unescape(text))

    # the network

    @of_kind
    def do_drop(self, step, request, answer, count, times):
        if self.first(step, times):
            answer.stop = ("drop", int(count), None)

    @of_kind
    def do_stall(self, step, request, answer, count, times):
        if self.first(step, times):
            answer.stop = ("stall", int(count), None)

    @of_kind
    def do_hold(self, step, request, answer, count, fifo, times):
        if self.first(step, times):
            answer.stop = ("hold", int(count), fifo)

    def do_range(self, _, request, answer, lie):
        if answer.status != 206:
            return None
        start, total = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers["Content-Range"]).groups()
        start, total = int(start), int(total)
        if lie == "200":
            request.headers = [h for h in request.headers if h[0].lower() != "range"]
            return self.truth(request)
        if lie == "416":
            return Answer(416, answer.kind, b"", Content_Range=f"bytes */{total}")
        if lie == "none":
            del answer.headers["Content-Range"]
        elif lie == "other":
            answer.set_body(bytes(10) + answer.body)
            answer.headers["Content-Range"] = f"bytes {start - 10}-{total - 1}/{total}"
        elif lie == "total":
            answer.headers["Content-Range"] = f"bytes {start}-{total - 1}/{total + 1}"
        elif lie == "shift":
            answer.body = answer.body[1:] + b"x"
        elif lie == "short":
            answer.set_body(answer.body[:-100])
            answer.headers["Content-Range"] = f"bytes {start}-{total - 101}/{total}"
        elif lie == "multi":
            answer.headers["Content-Type"] = "multipart/byteranges; boundary=x"
            del answer.headers["Content-Range"]
        return answer


class Server:
    def __init__(self, image, script, log, certs):
        self.image, self.path, self.certs = image, script, certs
        self.log = open(log, "a", encoding="utf-8", errors="backslashreplace")
        self.lock, self.text, self.script = threading.Lock(), None, None
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.context = None
        if certs:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certs + "/server.crt", certs + "/server.key")

    def current(self):
        with open(self.path, encoding="utf-8") as f:
            text = f.read()
        with self.lock:
            if text != self.text:
                self.text, self.script = text, Script(self.image, text)
                self.script.origin = f"{'https' if self.context else 'http'}://localhost:{self.port}"
            return self.script

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.connection, args=(connection,), daemon=True).start()

    def connection(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            while self.exchange(sock):
                pass
            if self.context:
                sock.settimeout(0.2)
                sock.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            sock.close()

    def exchange(self, sock):
        """One request; true if the connection goes on."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece or not (data or piece[:1].isalpha()):
                return False  # the end, or TLS spoken to a plain port
            data += piece
        request = Request(data.split(b"\r\n\r\n")[0].decode("latin-1"))
        with self.lock:
            print(request.line(), file=self.log, flush=True)
        return self.send(sock, self.current().answer(request), request.method == "HEAD")

    def send(self, sock, answer, head_only):
        if answer.raw is not None:
            for piece in answer.raw:
                sock.sendall(piece)
            return False
        data = b"" if head_only else answer.data()
        if answer.stop is None:
            self.pieces(sock, answer.head() + data, answer.piece)
            return True
        what, count, fifo = answer.stop
        if count >= 0:
            sock.sendall(answer.head() + data[:count])
        if what == "stall":
            sock.recv(1)
        elif what == "hold":
            with open(fifo, "rb") as f:
                f.read()
            sock.sendall(data[count:])
            return True
        else:  # no close_notify, no FIN: as if the other end had gone
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(count < 0), 0))
            os.close(sock.detach())
        return False

    def pieces(self, sock, data, size):
        for start in range(0, len(data), size):
            sock.sendall(data[start:start + size])


def main():
    args, options = sys.argv[1:], {}
    while args and args[0].startswith("--"):
        options[args[0]] = args[1]
        args = args[2:]
    if len(args) != 2 or not options.keys() <= {"--tls", "--image"}:
        sys.exit(__doc__)
    image = load_image(options["--image"]) if "--image" in options else own_image()
    server = Server(image, *args, options.get("--tls"))
    child = os.fork()
    if child:
        print(server.port, child)
        return
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    signal.alarm(LIFETIME)
    server.serve()


main()
