#!/usr/bin/env bash
# The stack without containers: collector, Jaeger and VictoriaLogs on loopback, from binaries built here.
#
#   stack.sh build    build what is missing (about 10 minutes the first time, then nothing)
#   stack.sh up       start, and wait until each answers
#   stack.sh status   what runs, and where
#   stack.sh down     stop what `up` started, by pid; what was stored is deleted
#
# The collector and Jaeger read the files that docker compose gives them. The log store is VictoriaLogs, not Loki:
# it takes the same OTLP from the same exporter, and is a small build under the Apache licence.
# Ports and folders are set by the variables below.
set -euo pipefail
# shellcheck source=tests/stack/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

OTLP_GRPC_PORT=${HEADERTAP_OTLP_GRPC_PORT:-4317}
OTLP_HTTP_PORT=${HEADERTAP_OTLP_HTTP_PORT:-4318}
COLLECTOR_HEALTH_PORT=${HEADERTAP_COLLECTOR_HEALTH_PORT:-13133}
COLLECTOR_METRICS_PORT=${HEADERTAP_COLLECTOR_METRICS_PORT:-8888}
LOGS_PORT=${HEADERTAP_LOGS_PORT:-9428}
JAEGER_QUERY_PORT=${HEADERTAP_JAEGER_QUERY_PORT:-16686}
JAEGER_GRPC_PORT=${HEADERTAP_JAEGER_GRPC_PORT:-16685}
JAEGER_OTLP_PORT=${HEADERTAP_JAEGER_OTLP_PORT:-14317}
JAEGER_HEALTH_PORT=${HEADERTAP_JAEGER_HEALTH_PORT:-14133}
READY_DEADLINE_SECONDS=${HEADERTAP_STACK_DEADLINE:-60}
STATE_DIR=${HEADERTAP_STACK_STATE:-$STACK_CACHE/state}

CONFIG_DIR=$REPO_DIR/otel-collector
SERVICES=(victorialogs jaeger collector) # in the order in which they start

ports_of() {
	case $1 in
	victorialogs) echo "$LOGS_PORT" ;;
	jaeger) echo "$JAEGER_QUERY_PORT $JAEGER_GRPC_PORT $JAEGER_OTLP_PORT $JAEGER_HEALTH_PORT" ;;
	collector) echo "$OTLP_GRPC_PORT $OTLP_HTTP_PORT $COLLECTOR_HEALTH_PORT $COLLECTOR_METRICS_PORT" ;;
	esac
}

ready_url_of() {
	case $1 in
	victorialogs) echo "http://127.0.0.1:$LOGS_PORT/health" ;;
	jaeger) echo "http://127.0.0.1:$JAEGER_HEALTH_PORT/status" ;;
	collector) echo "http://127.0.0.1:$COLLECTOR_HEALTH_PORT/" ;;
	esac
}

run_victorialogs() {
	exec "$BIN_DIR/victorialogs" -httpListenAddr="127.0.0.1:$LOGS_PORT" -storageDataPath="$STATE_DIR/victorialogs"
}

run_jaeger() {
	export JAEGER_HEALTH_LISTEN=127.0.0.1:$JAEGER_HEALTH_PORT
	export JAEGER_QUERY_HTTP_LISTEN=127.0.0.1:$JAEGER_QUERY_PORT
	export JAEGER_QUERY_GRPC_LISTEN=127.0.0.1:$JAEGER_GRPC_PORT
	export JAEGER_OTLP_GRPC_LISTEN=127.0.0.1:$JAEGER_OTLP_PORT
	exec "$BIN_DIR/jaeger" --config "$CONFIG_DIR/jaeger.yaml"
}

run_collector() {
	export COLLECTOR_OTLP_GRPC_LISTEN=127.0.0.1:$OTLP_GRPC_PORT
	export COLLECTOR_OTLP_HTTP_LISTEN=127.0.0.1:$OTLP_HTTP_PORT
	export COLLECTOR_HEALTH_LISTEN=127.0.0.1:$COLLECTOR_HEALTH_PORT
	export COLLECTOR_METRICS_HOST=127.0.0.1 COLLECTOR_METRICS_PORT
	export COLLECTOR_QUEUE_DIR=$STATE_DIR/collector-queue
	export LOGS_OTLP_ENDPOINT=http://127.0.0.1:$LOGS_PORT/insert/opentelemetry
	export TRACES_OTLP_ENDPOINT=127.0.0.1:$JAEGER_OTLP_PORT
	exec "$BIN_DIR/collector" --config "$CONFIG_DIR/collector.yaml"
}

# A pid alone may have been given to another process since: its start time (proc(5), field 22) makes it certain.
# A zombie (field 3) has ended; nothing may ever reap it where pid 1 is not an init.
start_time_of() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

# pid_of SERVICE: prints the pid if the process that `up` started still runs.
pid_of() {
	local pid started
	read -r pid started 2>/dev/null <"$STATE_DIR/$1.pid" || return 1
	[[ -n $started && $(start_time_of "$pid") == "$started" ]] || return 1
	echo "$pid"
}

is_listening() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

need_startable() {
	local port
	[[ -x $BIN_DIR/$1 ]] || die "$1 is not built: run $0 build"
	for port in $(ports_of "$1"); do
		! is_listening "$port" ||
			die "port $port, which $1 needs, is in use: end what listens there or set the port (see the top of $0)"
	done
}

start() {
	local service=$1 pid
	# In a session of its own, so that Ctrl-C after `make stack` does not reach it.
	setsid "${BASH_SOURCE[0]}" run "$service" >"$STATE_DIR/$service.log" 2>&1 </dev/null &
	pid=$!
	echo "$pid $(start_time_of "$pid")" >"$STATE_DIR/$service.pid"
	disown
}

wait_until_ready() {
	local service=$1 url give_up=$((SECONDS + READY_DEADLINE_SECONDS))
	url=$(ready_url_of "$service")
	until curl -fsS -o /dev/null --max-time 2 "$url" 2>/dev/null; do
		pid_of "$service" >/dev/null || fail_start "$service" "ended"
		((SECONDS < give_up)) || fail_start "$service" "did not answer in $READY_DEADLINE_SECONDS s"
		sleep 0.2
	done
}

fail_start() {
	local last
	last=$(tail -n 1 "$STATE_DIR/$1.log")
	down >/dev/null
	die "$1 $2: $last (all of it: $STATE_DIR/$1.log)"
}

build() {
	build_tool victorialogs "about 1 minute"
	build_collector
	build_tool jaeger "about 5 minutes"
}

up() {
	local service
	command -v curl >/dev/null || die "curl is not installed; install the package 'curl' and run this again"
	mkdir -p "$STATE_DIR"
	for service in "${SERVICES[@]}"; do # before any is started
		pid_of "$service" >/dev/null || need_startable "$service"
	done
	for service in "${SERVICES[@]}"; do
		pid_of "$service" >/dev/null || start "$service"
		wait_until_ready "$service"
	done
	status
}

status() {
	local service pid running=0
	for service in "${SERVICES[@]}"; do
		if pid=$(pid_of "$service"); then
			echo "$service: pid $pid, ports $(ports_of "$service"), log $STATE_DIR/$service.log"
			running=$((running + 1))
		else
			echo "$service: not running"
		fi
	done
	((running == ${#SERVICES[@]})) || return 1
	echo "OTLP: 127.0.0.1:$OTLP_GRPC_PORT (gRPC), http://127.0.0.1:$OTLP_HTTP_PORT (HTTP)"
	echo "spans: http://127.0.0.1:$JAEGER_QUERY_PORT/api/traces/TRACE_ID"
	echo "logs: http://127.0.0.1:$LOGS_PORT/select/vmui"
}

stop() {
	local pid give_up=$((SECONDS + 10))
	pid=$(pid_of "$1") || return 0
	kill "$pid"
	while pid_of "$1" >/dev/null; do
		((SECONDS < give_up)) || { kill -KILL "$pid"; give_up=$((SECONDS + 10)); }
		sleep 0.1
	done
	echo "stopped $1 (pid $pid)"
}

down() {
	local service
	# The collector first: nothing is left to send when the stores go.
	for service in collector jaeger victorialogs; do
		stop "$service"
		rm -f "$STATE_DIR/$service.pid"
	done
	rm -rf "$STATE_DIR/victorialogs" "$STATE_DIR/collector-queue"
}

case ${1:-} in
build | up | down | status) "$1" ;;
run) "run_$2" ;; # what `up` starts in the background
*) die "usage: $0 build|up|down|status" ;;
esac
