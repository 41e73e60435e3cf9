/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A segment into the ring: how much of it as the ring has room for, in the smallest record that
 * holds it.
 */
#ifndef HEADERTAP_SEND_H
#define HEADERTAP_SEND_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "event.h"
#include "flow.h"
#include "maps.h"
#include "packet.h"

/* When half of the ring is waiting, a head and little more is all we may ask for. */
#define PRESSED_BYTES 4096
/* To ask how full the ring is costs as much as to copy 256 bytes: one small record in 16 does. */
#define ASK_EVERY 16
#define RECORD_MAX (72 * 1024)
#define CAPTURE_MAX (RECORD_MAX - (__u32)sizeof(struct segment_event))

static __always_inline void fill_header(struct event_hdr *hdr, struct __sk_buff *skb,
					const struct segment *s, enum event_kind kind)
{
	hdr->boot_ns = bpf_ktime_get_boot_ns();
	hdr->socket_cookie = skb->sk ? bpf_get_socket_cookie(skb) : 0;
	__builtin_memcpy(hdr->saddr, &s->source, sizeof(hdr->saddr));
	__builtin_memcpy(hdr->daddr, &s->destination, sizeof(hdr->daddr));
	hdr->sport = s->sport;
	hdr->dport = s->dport;
	hdr->kind = kind;
	__builtin_memset(hdr->reserved, 0, sizeof(hdr->reserved));
}

/* Sends the segment in a record of @size bytes, a constant. Returns COUNTER_MAX, or what to count. */
static __always_inline enum counter emit(struct __sk_buff *skb, const struct segment *s,
					 struct flow_ref ref, __u32 cap_len,
					 struct ring_level level, const __u32 size)
{
	struct segment_event *ev = bpf_ringbuf_reserve(&events, size, 0);

	if (!ev)
		return COUNTER_SEGMENTS_RINGBUF_FULL;
	fill_header(&ev->hdr, skb, s, EVENT_SEGMENT);
	ev->seq = s->seq;
	ev->ack = s->ack;
	ev->len = s->len;
	ev->cap_len = cap_len;
	ev->cell = ref.cell;
	ev->tag = ref.tag;
	ev->ifindex = skb->ifindex;
	ev->tcp_flags = s->flags;
	__builtin_memset(ev->reserved, 0, sizeof(ev->reserved));
	if (cap_len) {
		__u32 last = cap_len - 1;

		/* 6.1 follows the bounds of a value, not of what it was computed from. */
		asm volatile("" : "+r"(last));
		if (last >= size - sizeof(*ev) ||
		    bpf_skb_load_bytes(skb, s->offset, ev + 1, last + 1)) {
			bpf_ringbuf_discard(ev, BPF_RB_NO_WAKEUP);
			return COUNTER_SEGMENTS_NOT_LOADED;
		}
	}
	bpf_ringbuf_submit(ev, wakeup_flags(level, size > PRESSED_BYTES ? size : ASK_EVERY * size));
	return COUNTER_MAX;
}

/* The smallest size class that holds the segment: reserve needs a constant. */
static __always_inline enum counter emit_sized(struct __sk_buff *skb, const struct segment *s,
					       struct flow_ref ref, __u32 cap_len,
					       struct ring_level level)
{
	__u32 size = sizeof(struct segment_event) + cap_len;

	if (size <= 128)
		return emit(skb, s, ref, cap_len, level, 128);
	if (size <= 256)
		return emit(skb, s, ref, cap_len, level, 256);
	if (size <= 512)
		return emit(skb, s, ref, cap_len, level, 512);
	if (size <= 1024)
		return emit(skb, s, ref, cap_len, level, 1024);
	if (size <= 2048)
		return emit(skb, s, ref, cap_len, level, 2048);
	if (size <= 4096)
		return emit(skb, s, ref, cap_len, level, 4096);
	if (size <= 16384)
		return emit(skb, s, ref, cap_len, level, 16384);
	return emit(skb, s, ref, cap_len, level, RECORD_MAX);
}

static __always_inline void send(struct __sk_buff *skb, const struct segment *s,
				 struct flow_ref ref, __u32 cap_len)
{
	__u64 seen = count(COUNTER_SEGMENTS_SEEN);
	struct ring_level level = {};
	enum counter lost;

	if (cap_len > PRESSED_BYTES || seen % ASK_EVERY == 0)
		level = ask_ring_level();
	if (cap_len > PRESSED_BYTES && level.waiting > level.size / 2)
		cap_len = PRESSED_BYTES;
	if (cap_len > CAPTURE_MAX)
		cap_len = CAPTURE_MAX;
	lost = emit_sized(skb, s, ref, cap_len, level);
	if (lost != COUNTER_MAX)
		count(lost);
}

#endif
