#!/bin/sh
# Asks DEMO_URL for ever, each time in a W3C trace of its own. Ends when its container does.
set -eu

random_hex() { # BYTES
	od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

ask() { # PATH
	trace_id=$(random_hex 16)
	echo "GET $1 trace $trace_id"
	curl --silent --output /dev/null --max-time 30 \
		--header "traceparent: 00-$trace_id-$(random_hex 8)-01" \
		--header "Authorization: Bearer demo-secret" \
		"$DEMO_URL$1" || echo "no answer from $DEMO_URL" # the server may still be starting
	sleep 2
}

trap 'exit 0' TERM
while true; do
	for path in /items /old-items /missing /broken '/items?token=demo-secret' /slow; do
		ask "$path"
	done
done
