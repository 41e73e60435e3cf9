#!/usr/bin/env bash
# Reads docker-compose.yml as docker compose does, without a daemon, and checks what the demo stands on.
# Builds docker compose from its Go module where it is not installed. Never passes without having checked.
set -euo pipefail
# shellcheck source=tests/stack/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

COMPOSE_FILE=$REPO_DIR/docker-compose.yml
failed=0
passed=0

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose "$@"
	else
		"$BIN_DIR/compose" "$@"
	fi
}

need_compose() {
	docker compose version >/dev/null 2>&1 || build_tool compose "about 1 minute"
}

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >/dev/null; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what" >&2
	fi
}

holds() { # JQ_EXPRESSION
	jq -e "$1" <<<"$resolved"
}

# A path of this repository that is mounted must be there: the daemon makes an empty folder of a missing one.
check_mounted_files() {
	local source
	while read -r source; do
		check "$source is mounted, but does not exist" test -e "$source"
	done < <(jq -r --arg repo "$REPO_DIR/" '.services[].volumes[]?
		| select(.type == "bind" and (.source | startswith($repo))).source' <<<"$resolved")
}

command -v jq >/dev/null || die "jq is not installed; install the package 'jq' and run this again"
need_compose
resolved=$(compose -f "$COMPOSE_FILE" config --format json) || die "docker compose refuses $COMPOSE_FILE (see above)"

check "headertap is privileged" holds '.services.headertap.privileged'
check "headertap uses the host's network" holds '.services.headertap.network_mode == "host"'
check "headertap sees the host's processes" holds '.services.headertap.pid == "host"'
check "headertap sees the host's cgroups" holds '.services.headertap.volumes | any(.source == "/sys/fs/cgroup")'
# shellcheck disable=SC2016 # $port is jq's
check "headertap sends to the port that the collector publishes" holds '
	(.services.headertap.environment.OTEL_EXPORTER_OTLP_ENDPOINT | capture(":(?<port>[0-9]+)$").port) as $port
	| .services.collector.ports | any(.published == $port)'
check "each image has a pinned tag, or is built here" holds '
	[.services[] | select(.build == null).image | test("^[^:]+:v?[0-9]+\\.[0-9]+\\.[0-9]+$")] | all'
check "each port is published on 127.0.0.1 only" holds '[.services[].ports[]?.host_ip == "127.0.0.1"] | all'
check "the Dockerfile exists" test -f "$REPO_DIR/Dockerfile"
check "the collector's image has the version of builder-config.yaml" holds "
	.services.collector.image | endswith(\":$(grep -oPm1 '(?<=^  version: ).*' "$REPO_DIR/otel-collector/builder-config.yaml")\")"
check_mounted_files

echo "$passed passed, $failed failed"
((failed == 0))
