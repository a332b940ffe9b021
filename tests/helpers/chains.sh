# SPDX-License-Identifier: MIT
# chains.sh - certificates and chains of all kinds for tests of TLS; sourced
#
# chains_start DIR		where all that follows is made
# chains_key NAME OPTION...	a key NAME.key (options of openssl genpkey) and what is needed to certify it
# chains_cert NAME ISSUER KEY SUBJECT [OPTION...] [-- EXTENSION...]
#	certify KEY as NAME.crt, under the issuer's name and key (ISSUER.crt; "self": its own), for the
#	years 2020 to 2089 if -startdate and -enddate do not say otherwise (options of openssl ca)
# chains_leaf NAME ISSUER [SAN [OPTION... [-- EXTENSION...]]]	a server's certificate with the EC key, for localhost
# chains_join NAME CERT...	the chain NAME.pem, leaf first

chains_start()
{
	CHAINS=$1
	mkdir -p "$CHAINS" || return
	: >"$CHAINS/index"
	cat >"$CHAINS/config" <<-END
	[ca]
	default_ca = all
	[all]
	database = $CHAINS/index
	new_certs_dir = $CHAINS
	rand_serial = yes
	unique_subject = no
	default_md = sha256
	policy = policy
	[policy]
	commonName = optional
	[req]
	distinguished_name = name
	[name]
	END
}

chains_key()
{
	chains_key=$1
	shift
	openssl genpkey "$@" -out "$CHAINS/$chains_key.key" 2>>"$CHAINS/log" &&
		openssl req -new -config "$CHAINS/config" -key "$CHAINS/$chains_key.key" -subj /CN=x \
			-out "$CHAINS/$chains_key.csr"
}

chains_cert()
{
	chains_name=$1 chains_issuer=$2 chains_subject=$4
	chains_csr=$CHAINS/$3.csr chains_keyfile=$CHAINS/$3.key chains_options=
	shift 4
	while [ $# != 0 ] && [ "$1" != -- ]; do
		chains_options="$chains_options $1"
		shift
	done
	[ $# = 0 ] || shift
	printf '[e]\n' >"$CHAINS/$chains_name.ext"
	[ $# = 0 ] || printf '%s\n' "$@" >>"$CHAINS/$chains_name.ext"
	case $chains_issuer in
	self) set -- -selfsign -keyfile "$chains_keyfile" ;;
	*) set -- -cert "$CHAINS/$chains_issuer.crt" -keyfile "$CHAINS/$(cat "$CHAINS/$chains_issuer.by").key" ;;
	esac
	basename "$chains_keyfile" .key >"$CHAINS/$chains_name.by"
	# shellcheck disable=SC2086 # a list of options
	openssl ca -batch -notext -config "$CHAINS/config" "$@" -in "$chains_csr" -subj "$chains_subject" \
		-startdate 20200101000000Z -enddate 20891231000000Z $chains_options -extensions e \
		-extfile "$CHAINS/$chains_name.ext" -out "$CHAINS/$chains_name.crt" >>"$CHAINS/log" 2>&1 ||
		{ echo "chains: $chains_name: $(tail -n 5 "$CHAINS/log")" >&2; return 1; }
}

chains_leaf()
{
	chains_name=$1 chains_issuer=$2 chains_san=${3-DNS:localhost}
	shift 2
	[ $# = 0 ] || shift
	case " $* " in
	*' -- '*) ;;
	*) set -- "$@" -- ;;
	esac
	chains_cert "$chains_name" "$chains_issuer" ec /CN=test "$@" ${chains_san:+"subjectAltName = $chains_san"}
}

chains_join()
{
	chains_name=$1
	shift
	for chains_cert; do
		cat "$CHAINS/$chains_cert.crt"
	done >"$CHAINS/$chains_name.pem"
}
