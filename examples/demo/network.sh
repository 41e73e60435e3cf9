# shellcheck shell=bash
# The demo's network: each host is a network namespace, and a bridge of this host
# joins them. The addresses are of a range that no network uses (RFC 5737): where
# br_netfilter is loaded, an address of this host would be taken off the bridge.

# Names hold our process id: two runs share nothing. 15 characters are the limit.
prefix=htd$$
bridge=${prefix}br
links=()
namespaces=()
firewall_is_open=

# add_host NAME ADDRESS: adds a host to the bridge.
add_host() {
	local namespace=$prefix-$1 port=$prefix${1:0:2}
	namespaces+=("$namespace")
	ip netns add "$namespace"
	links+=("$port")
	ip link add "$port" type veth peer name eth0 netns "$namespace"
	ip link set "$port" master "$bridge" up
	ip -n "$namespace" address add "$2/24" dev eth0
	ip -n "$namespace" link set eth0 up
	ip -n "$namespace" link set lo up
}

# on NAME COMMAND...: runs a command on a host.
on() {
	local host=$1
	shift
	ip netns exec "$prefix-$host" "$@"
}

# Docker and others make iptables see bridged packets too, and forbid forwarding.
open_firewall() {
	[[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null) == 1 ]] || return 0
	command -v iptables >/dev/null || return 0
	iptables -w -I FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
	firewall_is_open=yes
}

make_network() {
	links+=("$bridge")
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
	open_firewall
	add_host client 198.51.100.1
	add_host edge 198.51.100.2
	add_host shop 198.51.100.3
}

remove_network() {
	local name
	[[ -z $firewall_is_open ]] ||
		iptables -w -D FORWARD -i "$bridge" -o "$bridge" -j ACCEPT || true
	for name in ${links[@]+"${links[@]}"}; do
		ip link delete "$name" || true
	done
	for name in ${namespaces[@]+"${namespaces[@]}"}; do
		ip netns delete "$name" || true
	done
}
