// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Who owns a socket: recorded when a process creates it, again when it connects, and by a walk over
 * open files for the sockets that are older than headertap.
 *
 * We observe: the cgroup programs always return 1 (allow).
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

/* Relocated at load time: only what is read is declared. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct file;

struct task_struct {
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

static __always_inline void fill_current(struct owner *owner)
{
	owner->pid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = bpf_get_current_uid_gid();
	owner->cgroup_id = bpf_get_current_cgroup_id();
	/* The process's name: bpf_get_current_comm() gives the thread's. */
	BPF_CORE_READ_INTO(&owner->comm, bpf_get_current_task_btf(), group_leader, comm);
}

static __always_inline void own(struct bpf_sock *sk)
{
	struct owner *owner = bpf_sk_storage_get(&owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (owner)
		fill_current(owner);
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
	own(sk);
	return 1;
}

/* The subflow that listens for an MPTCP socket, the default of Go's servers, is made by the kernel: it is met
 * here first, in its owner's name.
 */
SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *sk)
{
	own(sk);
	return 1;
}

SEC("cgroup/post_bind6")
int post_bind6(struct bpf_sock *sk)
{
	own(sk);
	return 1;
}

/* The process that connects may not be the one that created the socket. */
SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	if (ctx->sk)
		own(ctx->sk);
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	if (ctx->sk)
		own(ctx->sk);
	return 1;
}

static __always_inline void fill_tuple(struct event_hdr *hdr, struct sock *sk)
{
	struct sock_common *common = &sk->__sk_common;
	__u32 *source = (__u32 *)hdr->saddr;
	__u32 *destination = (__u32 *)hdr->daddr;

	if (common->skc_family == AF_INET6) {
		BPF_CORE_READ_INTO(&hdr->saddr, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&hdr->daddr, common, skc_v6_daddr);
	} else {
		__builtin_memset(hdr->saddr, 0, sizeof(hdr->saddr));
		__builtin_memset(hdr->daddr, 0, sizeof(hdr->daddr));
		source[2] = bpf_htonl(0xffff);
		source[3] = common->skc_rcv_saddr;
		destination[2] = bpf_htonl(0xffff);
		destination[3] = common->skc_daddr;
	}
	hdr->sport = common->skc_num;
	hdr->dport = bpf_ntohs(common->skc_dport);
}

/* The socket's owner is whoever is met first: for a listener shared by workers, its creator. */
static __always_inline bool adopt(struct sock *sk, struct task_struct *task, struct owner *found)
{
	struct owner *owner = bpf_sk_storage_get(&owners, sk, NULL, 0);

	if (owner)
		return false;
	owner = bpf_sk_storage_get(&owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!owner)
		return false;
	found->pid = task->tgid;
	BPF_CORE_READ_INTO(&found->comm, task, group_leader, comm);
	*owner = *found;
	return true;
}

static __always_inline void send_existing(struct sock *sk, const struct owner *owner)
{
	struct socket_event *ev;

	count(COUNTER_SOCKETS_SEEN);
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		count(COUNTER_SOCKETS_RINGBUF_FULL);
		return;
	}
	__builtin_memset(ev, 0, sizeof(*ev));
	ev->hdr.boot_ns = bpf_ktime_get_boot_ns();
	ev->hdr.socket_cookie = bpf_get_socket_cookie(sk);
	ev->hdr.kind = EVENT_EXISTING;
	fill_tuple(&ev->hdr, sk);
	ev->owner = *owner;
	ev->netns_inode = sk->__sk_common.skc_net.net->ns.inum;
	bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
}

SEC("iter/task_file")
int existing_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct owner owner = {};
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP &&
		    sk->sk_protocol != IPPROTO_UDP))
		return 0;
	if (!adopt(sk, task, &owner) || sk->sk_protocol == IPPROTO_UDP)
		return 0;
	/* What an MPTCP listener accepts does not inherit its owner: user space is told who listens. */
	if (sk->__sk_common.skc_dport || sk->sk_protocol == IPPROTO_MPTCP)
		send_existing(sk, &owner);
	return 0;
}
