# SPDX-License-Identifier: MIT
# certs.sh - certificates for servers on loopback; sourced
#
# certs_make DIR   ca/ca.crt, ca.key: an authority of its own; server.crt, server.key: for localhost and
#                  127.0.0.1, signed by it. Nothing to do if they are there.

certs_make()
{
	[ -s "$1/server.crt" ] && return
	mkdir -p "$1/ca" &&
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj '/CN=qbox test authority' -keyout "$1/ca.key" -out "$1/ca/ca.crt" 2>"$1/log" &&
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-CA "$1/ca/ca.crt" -CAkey "$1/ca.key" -subj '/CN=qbox test server' \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
		-keyout "$1/server.key" -out "$1/server.crt" 2>>"$1/log" ||
	{ cat "$1/log" >&2; return 1; }
}
