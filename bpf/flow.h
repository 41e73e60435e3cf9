/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is to be copied of a segment: the flow's cell, its verdict, and whether this is the first
 * sighting of the packet on this host.
 */
#ifndef HEADERTAP_FLOW_H
#define HEADERTAP_FLOW_H

#include "maps.h"
#include "packet.h"

#define CLASSIFY_BYTES 8

/* Keeps a stranger from choosing tuples that share a cell. */
const volatile __u64 hash_seed;

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))

static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline __u64 mix(__u64 a, __u64 b)
{
	__u64 x = (a ^ hash_seed) * 0x9e3779b97f4a7c15ULL + b;

	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ULL;
	return x ^ (x >> 32);
}

struct flow_ref {
	__u32 cell; /* of this direction; the other's is cell ^ 1 */
	__u32 tag; /* 24 bits, never 0 */
};

/* The same pair of cells for both directions. */
static __always_inline struct flow_ref flow_of(const struct segment *s)
{
	__u64 source = mix(s->source.high ^ s->sport, s->source.low);
	__u64 destination = mix(s->destination.high ^ s->dport, s->destination.low);
	__u64 hash = mix(source + destination, source ^ destination);
	struct flow_ref ref = {
		.cell = (hash & (FLOW_PAIRS - 1)) << 1 | (source < destination),
		.tag = hash >> 40 | 1,
	};

	return ref;
}

static __always_inline __u64 decision(__u32 tag, enum verdict verdict, __u32 seq)
{
	return (__u64)tag << DECISION_TAG_SHIFT | (__u64)verdict << DECISION_VERDICT_SHIFT | seq;
}

static __always_inline enum verdict verdict_of(__u64 decision)
{
	return decision >> DECISION_VERDICT_SHIFT & 0xff;
}

/* User space and other CPUs decide as well: what they have decided since @old was read stays. */
static __always_inline void decide(struct flow_cell *cell, __u64 old, __u64 new)
{
	if (old != new)
		__sync_val_compare_and_swap(&cell->decision, old, new);
}

/* A method and a blank, or a version: what an HTTP/1 head starts with (RFC 9112 sections 3, 4).
 * Too few bytes to tell may be a head as well.
 */
static __always_inline bool starts_http1(struct __sk_buff *skb, const struct segment *s)
{
	char b[CLASSIFY_BYTES] = {};

	if (s->len < sizeof(b) || bpf_skb_load_bytes(skb, s->offset, b, sizeof(b)))
		return s->len < sizeof(b);
	if (b[0] == 'H' && b[1] == 'T' && b[2] == 'T' && b[3] == 'P' && b[4] == '/')
		return true;
	for (int i = 0; i < CLASSIFY_BYTES; i++) {
		if (b[i] == ' ')
			return i >= 3;
		if ((b[i] < 'A' || b[i] > 'Z') && b[i] != '-')
			return false;
	}
	return true;
}

/* Another interface saw these bytes first. Whoever sees new bytes first owns the direction, so a
 * change of route moves the ownership with the first new byte.
 */
static __always_inline bool seen_before(struct flow_cell *cell, const struct segment *s, __u32 end,
					__u32 sighting)
{
	if (cell->owner == sighting)
		return false;
	if (s->flags & TCP_SYN ? end == cell->next_seq : !before(cell->next_seq, end))
		return true;
	cell->owner = sighting;
	return false;
}

/* The seq up to which a segment that starts at @s may be copied; the segment may be advanced. */
static __always_inline bool wanted_until(struct __sk_buff *skb, __u64 *chosen, struct segment *s,
					 __u32 tag, __u32 *until)
{
	enum verdict verdict = verdict_of(*chosen);

	*until = (__u32)*chosen;
	switch (verdict) {
	case VERDICT_SKIP:
		if (before(s->seq, *until)) {
			if (!before(*until, s->seq + s->len))
				return false;
			s->offset += *until - s->seq;
			s->len -= *until - s->seq;
			s->seq = *until;
		}
		*until = s->seq + COPY_WINDOW;
		*chosen = decision(tag, VERDICT_COPY, *until);
		return true;
	case VERDICT_PROBE:
		if (starts_http1(skb, s)) {
			*until = s->seq + COPY_WINDOW;
			*chosen = decision(tag, VERDICT_COPY, *until);
			return true;
		}
		break;
	case VERDICT_COPY:
		break;
	default:
		return false;
	}
	if (before(s->seq, *until))
		return true;
	/* Without this, a bulk transfer of 2 GiB would come round to `until` again. */
	*chosen = decision(tag, verdict == VERDICT_COPY ? VERDICT_CLOSED : VERDICT_PROBE_CLOSED, 0);
	return false;
}

/* The peer has talked, so the other direction's next bytes, from @ack on, may be a head. While it
 * was closed, nobody kept its next_seq.
 */
static __always_inline void open_other_direction(__u32 cell, __u32 tag, __u32 ack)
{
	__u32 other = cell ^ 1;
	struct flow_cell *value = bpf_map_lookup_elem(&flows, &other);
	__u64 decided = value ? READ_ONCE(value->decision) : 0;

	if (!value || decided >> DECISION_TAG_SHIFT != tag)
		return;
	switch (verdict_of(decided)) {
	case VERDICT_CLOSED:
		value->next_seq = ack;
		/* fallthrough */
	case VERDICT_COPY:
		decide(value, decided, decision(tag, VERDICT_COPY, ack + COPY_WINDOW));
		break;
	case VERDICT_PROBE_CLOSED:
		value->next_seq = ack;
		/* fallthrough */
	case VERDICT_PROBE:
		decide(value, decided, decision(tag, VERDICT_PROBE, ack + PROBE_WINDOW));
		break;
	default:
		break;
	}
}

#endif
