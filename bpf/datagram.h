/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* DNS datagrams into the ring, with the owner of the socket that sent them. All others are passed
 * over after a look at their first bytes.
 */
#ifndef HEADERTAP_DATAGRAM_H
#define HEADERTAP_DATAGRAM_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "maps.h"
#include "packet.h"
#include "send.h"

#define PORT_DNS 53
#define PORT_MDNS 5353
#define PORT_LLMNR 5355
/* The largest UDP payload that resolvers ask for (RFC 6891 section 6.2.5). */
#define DATAGRAM_MAX 4096
#define DATAGRAM_RECORD_MAX (sizeof(struct datagram_event) + DATAGRAM_MAX)
#define DNS_MIN 17 /* a header, and a question of the root */
#define IN_PLACE_MAX 256 /* offsets below are read where they lie */

/* RFC 1035 section 4.1.1, and the length octet of the first name. */
struct dns_begin {
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authority;
	__be16 additional;
	__u8 label;
	__u8 octet;
};

#define DNS_QR 0x8000
#define DNS_Z 0x0040
#define DNS_OPCODE(flags) ((flags) >> 11 & 0xf)
#define DNS_AA_RA_RCODE 0x048f /* what only a response sets */
#define DNS_RECORDS_MAX 512 /* in a section; the smallest has 11 bytes */

static __always_inline bool is_dns_port(__u16 port)
{
	return port == PORT_DNS || port == PORT_MDNS || port == PORT_LLMNR;
}

/* One question, and counts that such a message may have. exporter/src/parse/dns.rs looks closer. */
static __always_inline bool begins_dns(const struct dns_begin *begin)
{
	__u16 flags = bpf_ntohs(begin->flags);
	__u16 answers = bpf_ntohs(begin->answers);
	__u16 authority = bpf_ntohs(begin->authority);
	__u16 additional = bpf_ntohs(begin->additional);
	__u8 opcode = DNS_OPCODE(flags);

	if (begin->questions != bpf_htons(1) || flags & DNS_Z || begin->label > 63 ||
	    (opcode != 0 && opcode != 4 && opcode != 5))
		return false;
	if (!(flags & DNS_QR) && (flags & DNS_AA_RA_RCODE || (!opcode && answers)))
		return false;
	return answers < DNS_RECORDS_MAX && authority < DNS_RECORDS_MAX &&
	       additional < DNS_RECORDS_MAX;
}

static __always_inline bool is_wanted(struct __sk_buff *skb, const struct segment *s)
{
	const void *limit = (const void *)(long)skb->data_end;
	const void *data = (const void *)(long)skb->data;
	struct dns_begin begin;
	__u32 offset = s->offset;

	if (is_dns_port(s->sport) || is_dns_port(s->dport))
		return s->present;
	if (s->present < DNS_MIN || s->len > DATAGRAM_MAX)
		return false;
	if (offset < IN_PLACE_MAX && data + offset + sizeof(begin) <= limit)
		return begins_dns(data + offset);
	return !bpf_skb_load_bytes(skb, offset, &begin, sizeof(begin)) && begins_dns(&begin);
}

static __always_inline void fill_owner(struct owner *owner, struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct owner *known = NULL;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk)
		known = bpf_sk_storage_get(&owners, sk, NULL, 0);
	if (known)
		*owner = *known;
	else
		__builtin_memset(owner, 0, sizeof(*owner));
}

/* Sends the datagram in a record of @size bytes, a constant. Returns COUNTER_MAX, or what to count. */
static __always_inline enum counter emit_datagram(struct __sk_buff *skb, const struct segment *s,
						  __u32 cap_len, bool ingress,
						  struct ring_level level, const __u32 size)
{
	struct datagram_event *ev = bpf_ringbuf_reserve(&events, size, 0);
	__u32 last = cap_len - 1;

	if (!ev)
		return COUNTER_DATAGRAMS_RINGBUF_FULL;
	fill_header(&ev->hdr, skb, s, EVENT_DATAGRAM);
	fill_owner(&ev->owner, skb);
	ev->len = s->len;
	ev->cap_len = cap_len;
	ev->ifindex = skb->ifindex;
	ev->ingress = ingress;
	__builtin_memset(ev->reserved, 0, sizeof(ev->reserved));
	/* As in emit(). */
	asm volatile("" : "+r"(last));
	if (last >= size - sizeof(*ev) || bpf_skb_load_bytes(skb, s->offset, ev + 1, last + 1)) {
		bpf_ringbuf_discard(ev, BPF_RB_NO_WAKEUP);
		return COUNTER_DATAGRAMS_NOT_LOADED;
	}
	bpf_ringbuf_submit(ev, wakeup_flags(level, ASK_EVERY * size));
	return COUNTER_MAX;
}

static __always_inline enum counter emit_datagram_sized(struct __sk_buff *skb,
							const struct segment *s, __u32 cap_len,
							bool ingress, struct ring_level level)
{
	__u32 size = sizeof(struct datagram_event) + cap_len;

	if (size <= 256)
		return emit_datagram(skb, s, cap_len, ingress, level, 256);
	if (size <= 512)
		return emit_datagram(skb, s, cap_len, ingress, level, 512);
	if (size <= 1024)
		return emit_datagram(skb, s, cap_len, ingress, level, 1024);
	return emit_datagram(skb, s, cap_len, ingress, level, DATAGRAM_RECORD_MAX);
}

static __always_inline void observe_datagram(struct __sk_buff *skb, const struct segment *s,
					     bool ingress)
{
	__u32 cap_len = s->present < DATAGRAM_MAX ? s->present : DATAGRAM_MAX;
	struct ring_level level = {};
	enum counter lost;

	if (!is_wanted(skb, s))
		return;
	if (count(COUNTER_DATAGRAMS_SEEN) % ASK_EVERY == 0)
		level = ask_ring_level();
	lost = emit_datagram_sized(skb, s, cap_len, ingress, level);
	if (lost != COUNTER_MAX)
		count(lost);
}

#endif
