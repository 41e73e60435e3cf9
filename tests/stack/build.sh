# shellcheck shell=bash
# Builds the tools of the stack from their Go modules at pinned versions. To be sourced.
#
# Owns HEADERTAP_STACK_CACHE (default target/stack): bin/ holds the binaries, each beside a stamp of what it was
# made from. Changing a version (go.mod, go.sum, builder-config.yaml) changes the stamp and so builds again.

STACK_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_DIR=$(cd "$STACK_DIR/../.." && pwd)
STACK_CACHE=${HEADERTAP_STACK_CACHE:-$REPO_DIR/target/stack}
BIN_DIR=$STACK_CACHE/bin

# Stamping the revision of this repository into them says nothing, and fails where git refuses the folder's owner.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

need_go() {
	command -v go >/dev/null ||
		die "Go is not installed; install Go 1.26.6 or newer (https://go.dev/doc/install) and run this again"
}

# stamp_of FILE...: changes when any of the inputs does.
stamp_of() {
	cat "$@" | sha256sum | cut -d' ' -f1
}

is_built() { # NAME STAMP
	[[ -x $BIN_DIR/$1 && $(cat "$BIN_DIR/$1.stamp" 2>/dev/null) == "$2" ]]
}

# run_logged NAME COMMAND...: the output is long and only matters when the command fails.
run_logged() {
	local name=$1 log=$STACK_CACHE/$1.build.log
	shift
	"$@" >"$log" 2>&1 || die "building $name failed: $(tail -n 1 "$log") (all of it: $log)"
}

# build_tool NAME ABOUT: the package and the version are those of the tool line in tests/stack/NAME/go.mod.
build_tool() {
	local name=$1 about=$2 module=$STACK_DIR/$1 package stamp version started=$SECONDS
	package=$(awk '$1 == "tool" { print $2 }' "$module/go.mod")
	version=$(awk -v package="$package" 'index(package, $1 "/") == 1 { print $2; exit }' "$module/go.mod")
	stamp=$(stamp_of "$module/go.mod" "$module/go.sum")
	is_built "$name" "$stamp" && { echo "$name $version: built already"; return; }
	need_go
	mkdir -p "$BIN_DIR"
	echo "building $name $version, $about the first time ..."
	# Without cgo no C compiler is needed, and the binary runs on any Linux of this architecture.
	run_logged "$name" env -C "$module" CGO_ENABLED=0 nice \
		go build -trimpath -ldflags='-s -w' -o "$BIN_DIR/$name" "$package"
	echo "$stamp" >"$BIN_DIR/$name.stamp"
	echo "built $name in $((SECONDS - started)) s"
}

# The collector has no go.mod of ours: the official builder writes one from builder-config.yaml.
build_collector() {
	local config=$REPO_DIR/otel-collector/builder-config.yaml stamp version started=$SECONDS
	stamp=$(stamp_of "$config")
	version=v$(grep -oPm1 '(?<=^  version: ).*' "$config")
	is_built collector "$stamp" && { echo "collector $version: built already"; return; }
	need_go
	mkdir -p "$BIN_DIR" "$STACK_CACHE/src" # the builder makes only the last folder
	echo "building the OpenTelemetry collector $version, about 2 minutes the first time ..."
	run_logged collector env "dist.output_path=$STACK_CACHE/src/collector" CGO_ENABLED=0 nice \
		go run "go.opentelemetry.io/collector/cmd/builder@$version" --config "$config"
	cp "$STACK_CACHE/src/collector/otelcol-headertap" "$BIN_DIR/collector"
	echo "$stamp" >"$BIN_DIR/collector.stamp"
	echo "built the collector in $((SECONDS - started)) s"
}
