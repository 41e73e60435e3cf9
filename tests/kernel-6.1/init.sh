#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the guest: makes a host out of an initramfs, runs the
# command that run.sh left in /guest, and powers off.
#
# ttyS0 carries the kernel's messages and our verdict, ttyS1 the command's
# output and nothing else, so neither can be mistaken for the other.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb

give_up() {
	echo "guest-init: $1"
	poweroff -f
}

mount_file_systems() {
	mount -t devtmpfs none /dev
	mkdir -p /dev/pts /dev/shm
	mount -t devpts none /dev/pts
	mount -t tmpfs none /dev/shm
	ln -s /proc/self/fd /dev/fd # bash's <(...) opens it
	ln -s /proc/self/fd/1 /dev/stdout
	ln -s /proc/self/fd/2 /dev/stderr
	mount -t proc none /proc
	mount -t sysfs none /sys
	mount -t cgroup2 none /sys/fs/cgroup
	mount -t bpf none /sys/fs/bpf
	mount -t tracefs none /sys/kernel/tracing
	mount -t tmpfs none /run
	# A program under test that came from the host's /tmp must stay visible.
	[ -n "$(ls -A /tmp)" ] || mount -t tmpfs none /tmp
	chmod 1777 /tmp /dev/shm
}

load_modules() {
	while read -r module; do
		case $module in
		# Else it makes a dummy0 that no test asked for.
		*/dummy.ko*) insmod "$module" numdummies=0 ;;
		*) insmod "$module" ;;
		esac || give_up "cannot load $module"
	done </guest/modules
}

run_command() {
	# Raw: a line feed must reach the host as a line feed.
	stty -F /dev/ttyS1 raw -echo
	/bin/sh /guest/command </dev/null >/dev/ttyS1 2>&1
	status=$?
	# stty waits until the port has sent what the command wrote, which a
	# child that outlives the command may still hold open.
	stty -F /dev/ttyS1 raw
	return $status
}

mount_file_systems || give_up "cannot mount the file systems"
hostname guest
load_modules
ip link set lo up || give_up "cannot bring lo up"
read -r uptime _ </proc/uptime
echo "guest-booted: $uptime"
run_command
echo "guest-exit: $?"
poweroff -f
