# SPDX-License-Identifier: MIT
# registry.sh - a real registry (docker-registry) on loopback, with TLS; sourced
#
# registry_start DIR [open|basic|token]
#	Start one on a free port; blobs are kept in DIR/data, shared by all that are started in DIR.
#	Sets REGISTRY (localhost:PORT), REGISTRY_CA, REGISTRY_ACCESS (its access log) and REGISTRY_PID.
#	basic: user "user", password "pass word"; token: the same by a token server (token.py), which
#	lets everybody read but what is below private/; TOKEN_LOG is its log.
# registry_stop		stop all that were started
# registry_push LAYOUT:TAG NAME:TAG	copy an image of an OCI layout into $REGISTRY
# registry_requests	what clients asked since the last call: METHOD PATH STATUS a line; waits
#			for the server's log to be complete

helpers=${helpers:-$(pwd)/tests/helpers}
. "$helpers/certs.sh"
REGISTRY_PIDS=

registry_start()
{
	registry_dir=$1
	mkdir -p "$registry_dir/data"
	certs_make "$registry_dir/certs" || return
	REGISTRY_CA=$registry_dir/certs/ca/ca.crt
	registry_run=$(mktemp -d "$registry_dir/run.XXXXXX")
	{
		cat <<-END
		version: 0.1
		log: {level: info, formatter: text}
		storage:
		  filesystem: {rootdirectory: $registry_dir/data}
		  delete: {enabled: true}
		http:
		  addr: 127.0.0.1:0
		  secret: none
		  tls: {certificate: $registry_dir/certs/server.crt, key: $registry_dir/certs/server.key}
		END
		registry_auth "${2:-open}"
	} >"$registry_run/config.yml" || return
	REGISTRY_ACCESS=$registry_run/access
	docker-registry serve "$registry_run/config.yml" >"$REGISTRY_ACCESS" 2>"$registry_run/log" &
	REGISTRY_PID=$!
	REGISTRY_PIDS="$REGISTRY_PIDS $REGISTRY_PID"
	REGISTRY=localhost:$(registry_wait 'listening on 127.0.0.1:' "$registry_run/log")
	REGISTRY_SEEN=0
	[ "$REGISTRY" != localhost: ] || { cat "$registry_run/log" >&2; return 1; }
}

# The word after the first TEXT in the growing file FILE.
registry_wait()
{
	tail --pid="$REGISTRY_PID" -n +1 -f "$2" | sed -n "s/.*$1\([0-9a-z]*\).*/\1/p;T;q"
}

registry_auth()
{
	case $1 in
	basic)
		htpasswd -Bbc "$registry_dir/htpasswd" user 'pass word' 2>/dev/null
		printf 'auth:\n  htpasswd: {realm: test, path: %s}\n' "$registry_dir/htpasswd" ;;
	token)
		set -- $(python3 "$helpers/token.py" "$registry_dir/certs" "$registry_run/token.log")
		REGISTRY_PIDS="$REGISTRY_PIDS $2"
		TOKEN_LOG=$registry_run/token.log
		cat <<-END
		auth:
		  token:
		    realm: https://localhost:$1/token
		    service: "test registry"
		    issuer: qbox
		    rootcertbundle: $registry_dir/certs/server.crt
		END
		;;
	esac
}

registry_stop()
{
	[ -z "$REGISTRY_PIDS" ] || kill $REGISTRY_PIDS 2>/dev/null
	REGISTRY_PIDS=
}

registry_push()
{
	skopeo copy -q --dest-cert-dir "${REGISTRY_CA%/*}" --dest-creds 'user:pass word' \
		"oci:$1" "docker://$REGISTRY/$2"
}

# Lines come when a response is over, so a mark is sent, and what stands before it is complete
# but for requests still running.
registry_requests()
{
	registry_mark=mark$(date +%s%N)
	curl -s --cacert "$REGISTRY_CA" "https://$REGISTRY/$registry_mark" >/dev/null
	registry_wait "$registry_mark" "$REGISTRY_ACCESS" >/dev/null
	tail -n "+$((REGISTRY_SEEN + 1))" "$REGISTRY_ACCESS" | grep -v /mark |
		sed 's/^[^"]*"\([A-Z]*\) \([^ ]*\) [^"]*" \([0-9]*\).*/\1 \2 \3/'
	REGISTRY_SEEN=$(wc -l <"$REGISTRY_ACCESS")
}
