#!/usr/bin/env bash
# Shows headertap at work: makes three hosts out of network namespaces, a client,
# a proxy and a web shop, sends HTTP between them, and prints what headertap saw
# live. Everything that it made is gone when it ends, but for target/demo.
#
#   HEADERTAP  the program to run (target/release/headertap)
#   DEMO_OTLP  an OTLP/gRPC endpoint, http://host:4317, that gets the exchanges too

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=network.sh
source "$here/network.sh"

program=${HEADERTAP:-${CARGO_TARGET_DIR:-$root/target}/release/headertap}
kept=target/demo # stays, for the reader
load_seconds=3
load_shown=2
ready_within_s=20
seen_within_s=5
run=
agents=()
servers=()
shown_bytes=0

fail() {
	echo "demo: $*" >&2
	exit 1
}

say() {
	if [[ -t 1 ]]; then
		printf '\033[1m# %s\033[0m\n' "$*"
	else
		echo "# $*"
	fi
}

# within SECONDS COMMAND...: waits until the command succeeds.
within() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[[ $SECONDS -lt $deadline ]] || return 1
		sleep 0.05
	done
}

is_running() {
	[[ -e /proc/$1 ]]
}

# start_server NAME: runs nginx with our configuration only; Debian's is never read.
start_server() {
	mkdir "$run/$1"
	cp -r "$here/www" "$run/$1/"
	head -c 16384 /dev/zero | tr '\0' '.' >"$run/$1/www/slow.html"
	# Not by on(): a function in the background is a shell of its own, with its own process id.
	ip netns exec "$prefix-$1" nginx -p "$run/$1" -c "$here/$1.conf" -e "$run/$1/error.log" \
		-g "user nobody $(id -gn nobody);" </dev/null >"$run/$1/nginx.log" 2>&1 &
	servers+=($!)
	within 10 listens "$1" || fail "nginx did not start: $(cat "$run/$1/nginx.log")"
}

listens() {
	[[ -n $(on "$1" ss -Hltn 'sport = :80') ]]
}

# start_agent NAME OPTION...: runs headertap on the demo's interfaces and waits until it captures.
start_agent() {
	local name=$1
	shift
	rm -f "$kept/$name.txt" "$kept/$name.log" # an earlier run's ready line is not ours
	"$program" run --interface "$prefix*" "$@" >"$kept/$name.txt" 2>"$kept/$name.log" &
	agents+=($!)
	within "$ready_within_s" has_started "$name" $! || fail "headertap was not ready within $ready_within_s s"
	grep -qs '^headertap: ready' "$kept/$name.log" || {
		cat "$kept/$name.log" >&2
		exit 1
	}
}

has_started() {
	grep -qs '^headertap: ready' "$kept/$1.log" || ! is_running "$2"
}

# exchanges PATH: how many exchanges with this path are written, and not yet shown.
exchanges() {
	tail -c "+$((shown_bytes + 1))" "$kept/exchanges.txt" | grep -cE "^[0-9].*shop\.example(:80)?$1( |\?|\$)" || true
}

has_exchanges() {
	[[ $(exchanges "$1") -ge $2 ]]
}

# show PATH NUMBER [LIMIT]: waits for that many exchanges and prints what is new, or its first
# exchanges. Connections of other programs on this host that fail are left out.
show() {
	local new
	within "$seen_within_s" has_exchanges "$1" "$2" ||
		fail "headertap showed $(exchanges "$1") of $2 exchanges of $1 within $seen_within_s s: see $kept/exchanges.log"
	sleep 0.2 # what else belongs to it: a connection that closes or fails
	new=$(stat -c %s "$kept/exchanges.txt")
	tail -c "+$((shown_bytes + 1))" "$kept/exchanges.txt" | head -c "$((new - shown_bytes))" |
		awk -v limit="${3:-1000}" '
			/^[0-9]/ { ours = !/ -- failed / || /198\.51\.100\./; records += ours }
			records > limit { exit }
			ours { print }' || true
	shown_bytes=$new
}

# request TEXT HOST NUMBER CURL-OPTION... URL: sends one request to the shop, by way of HOST, and
# shows its exchanges.
request() {
	local address=$2 number=$3 path
	say "$1"
	shift 3
	on client curl --silent --show-error --max-time 10 --output /dev/null \
		--resolve "shop.example:80:$address" "$@" || fail "curl failed (exit code $?)"
	path=${*: -1}
	path=${path#http://shop.example}
	show "${path%%\?*}" "$number"
}

random_hex() {
	od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

send_requests() {
	local edge=198.51.100.2 shop=198.51.100.3 url=http://shop.example
	trace_id=$(random_hex 16)
	request "a page" $shop 1 "$url/index.html"
	request "an API through the proxy: from the client to the proxy, and from the proxy to the shop" \
		$edge 2 "$url/api/items"
	request "the same with a trace context: trace $trace_id" \
		$edge 2 --header "traceparent: 00-$trace_id-$(random_hex 8)-01" "$url/api/items?page=2"
	request "an order with secrets in the URL, the request and the answer: they are masked in every output" \
		$shop 1 --header "Authorization: Bearer demo-secret-bearer" --header "Cookie: session=demo-secret-session" \
		--json '{"item":1}' "$url/api/orders?token=demo-secret-token"
	request "a download that takes its time" $shop 1 "$url/slow.html"
	request "an upstream that fails" $edge 1 "$url/flaky"
	say "load on connections that are kept, for $load_seconds s: its first $load_shown exchanges"
	on client wrk --threads 1 --connections 16 --duration "${load_seconds}s" \
		--header "Host: shop.example" "http://$shop/load" >"$kept/load.txt"
	show /load "$load_shown" "$load_shown"
}

stop() {
	local pid
	for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
	for pid in "$@"; do
		within 10 is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
	done
}

is_gone() {
	! is_running "$1"
}

summarise() {
	local requests
	requests=$(cat "$run"/*/access.log | wc -l)
	say "summary"
	sed -n 's/^ *\(Requests\/sec\): *\([0-9]*\).*/\2 requests a second were sent under load/p' "$kept/load.txt"
	echo "$requests requests in the web servers' own logs, the load included"
	echo "$(grep -c demo-secret "$kept/exchanges.txt" || true) secrets in the output"
	echo "every exchange is in $kept/exchanges.txt; what headertap said at the end:"
	cat "$kept/exchanges.log"
	if [[ -n ${DEMO_OTLP-} ]]; then
		echo "look for trace $trace_id behind $DEMO_OTLP; what the exporting headertap said:"
		cat "$kept/otlp.log"
	fi
}

clean_up() {
	stop ${agents[@]+"${agents[@]}"} ${servers[@]+"${servers[@]}"}
	remove_network
	[[ -z $run ]] || rm -rf "$run"
}

main() {
	cd "$root"
	[[ $(id -u) -eq 0 ]] || fail "this needs root: it makes network namespaces and loads BPF programs"
	mkdir -p "$kept"
	run=$(mktemp -d)
	chmod 755 "$run" # nginx's workers are nobody
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	make_network
	start_server edge
	start_server shop
	start_agent exchanges --output text --account-path "$kept/account.json"
	if [[ -n ${DEMO_OTLP-} ]]; then
		OTEL_EXPORTER_OTLP_ENDPOINT=$DEMO_OTLP start_agent otlp --output otlp
	fi
	send_requests
	stop "${agents[@]}"
	summarise
}

main "$@"
