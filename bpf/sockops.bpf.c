// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* sockops program: a record when a TCP connection opens, closes (with the socket's own totals) or
 * fails, and who owns it.
 *
 * We observe: the program always returns 1, sets no reply and no socket option, and puts no socket
 * into a map.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

#define AF_INET6 10
#define SRTT_SHIFT 3 /* tcp_sock keeps eight times the smoothed round-trip time */

/* Relocated at load time: only what is read is declared. */
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} __attribute__((preserve_access_index));

struct tcp_sock {
	struct inet_connection_sock inet_conn;
} __attribute__((preserve_access_index));

/* The barrier keeps clang from merging the loads of two branches into one through a moved context
 * pointer, which the verifier refuses.
 */
static __always_inline void fill_words(__u8 *to, __u32 a, __u32 b, __u32 c, __u32 d)
{
	__u32 *words = (__u32 *)to;

	asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	words[0] = a;
	words[1] = b;
	words[2] = c;
	words[3] = d;
}

static __always_inline void fill_addresses(struct event_hdr *hdr, struct bpf_sock_ops *ctx)
{
	if (ctx->family == AF_INET6) {
		fill_words(hdr->saddr, ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2],
			   ctx->local_ip6[3]);
		fill_words(hdr->daddr, ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
			   ctx->remote_ip6[3]);
	} else {
		fill_words(hdr->saddr, 0, 0, bpf_htonl(0xffff), ctx->local_ip4);
		fill_words(hdr->daddr, 0, 0, bpf_htonl(0xffff), ctx->remote_ip4);
	}
}

static __always_inline void fill_header(struct event_hdr *hdr, struct bpf_sock_ops *ctx,
					enum event_kind kind)
{
	hdr->boot_ns = bpf_ktime_get_boot_ns();
	hdr->socket_cookie = bpf_get_socket_cookie(ctx);
	fill_addresses(hdr, ctx);
	hdr->sport = ctx->local_port;
	hdr->dport = bpf_ntohl(ctx->remote_port);
	hdr->kind = kind;
	__builtin_memset(hdr->reserved, 0, sizeof(hdr->reserved));
}

static __always_inline void fill_owner(struct socket_event *ev, struct bpf_sock *sk)
{
	struct owner *owner = bpf_sk_storage_get(&owners, sk, NULL, 0);
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	if (owner)
		ev->owner = *owner;
	else
		__builtin_memset(&ev->owner, 0, sizeof(ev->owner));
	ev->netns_inode = tcp ? tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum : 0;
}

static __always_inline void fill_totals(struct socket_event *ev, struct bpf_sock_ops *ctx)
{
	ev->bytes_sent = ctx->bytes_acked;
	ev->bytes_received = ctx->bytes_received;
	ev->segments_sent = ctx->segs_out;
	ev->segments_received = ctx->segs_in;
	ev->retransmits = ctx->total_retrans;
	ev->srtt_us = ctx->srtt_us >> SRTT_SHIFT;
	ev->min_rtt_us = ctx->rtt_min;
	ev->cwnd = ctx->snd_cwnd;
}

static __always_inline void send(struct bpf_sock_ops *ctx, enum event_kind kind,
				 enum socket_role role, __u8 old_state)
{
	struct bpf_sock *sk = ctx->sk;
	struct socket_event *ev;

	if (!sk)
		return;
	count(COUNTER_SOCKETS_SEEN);
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		count(COUNTER_SOCKETS_RINGBUF_FULL);
		return;
	}
	fill_header(&ev->hdr, ctx, kind);
	fill_owner(ev, sk);
	fill_totals(ev, ctx);
	ev->role = role;
	ev->old_state = old_state;
	__builtin_memset(ev->reserved, 0, sizeof(ev->reserved));
	bpf_ringbuf_submit(ev, wakeup_flags(ask_ring_level(), sizeof(*ev)));
}

static __always_inline void on_state(struct bpf_sock_ops *ctx)
{
	__u32 from = ctx->args[0];

	if (ctx->args[1] != BPF_TCP_CLOSE || from == BPF_TCP_LISTEN)
		return;
	if (from == BPF_TCP_SYN_SENT)
		send(ctx, EVENT_FAILED, ROLE_CLIENT, from);
	else
		send(ctx, EVENT_CLOSE, ROLE_UNKNOWN, from);
}

SEC("sockops")
int socket_events(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		bpf_sock_ops_cb_flags_set(ctx,
					  ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(ctx,
					  ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
		send(ctx, EVENT_OPEN,
		     ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ? ROLE_CLIENT : ROLE_SERVER, 0);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		on_state(ctx);
		break;
	default:
		break;
	}
	return 1;
}
