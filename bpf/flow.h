/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is to be copied of a segment: the flow's cell, its verdict, and whether this is the first
 * sighting of the packet on this host.
 */
#ifndef HEADERTAP_FLOW_H
#define HEADERTAP_FLOW_H

#include "maps.h"
#include "packet.h"
#include "start.h"

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

/* The segment's first bytes, before @seq, are of no interest. */
static __always_inline void advance(struct segment *s, __u32 seq)
{
	s->offset += seq - s->seq;
	s->len -= seq - s->seq;
	s->seq = seq;
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

/* A segment of a direction whose protocol is not known. Gives what is decided of its beginning, or
 * @old.
 */
static __always_inline __u64 probe(struct __sk_buff *skb, const struct segment *s, __u32 tag,
				   __u64 old)
{
	/* With a SYN, seq is not the payload's. */
	bool may_count = !(s->flags & TCP_SYN);

	switch (start_of(skb, s->offset, s->len)) {
	case START_HELLO:
		return decision(tag, VERDICT_PROBE, s->seq + HELLO_WINDOW);
	case START_MESSAGE:
		return decision(tag, VERDICT_COPY, s->seq + COPY_WINDOW);
	case START_PREFACE:
		return may_count ? decision(tag, VERDICT_FRAMES_COPY, s->seq + PREFACE_BYTES) :
				   decision(tag, VERDICT_COPY, s->seq + COPY_WINDOW);
	case START_SETTINGS:
		return may_count ? decision(tag, VERDICT_FRAMES_COPY, s->seq) : old;
	default:
		return old;
	}
}

/* Most segments of a bulk transfer, which are to be let go at once. */
static __always_inline bool is_bulk(__u64 decided, const struct segment *s)
{
	enum verdict verdict = verdict_of(decided);
	__u32 end = s->seq + s->len;

	if (verdict == VERDICT_SKIP)
		return !before(decided, end);
	return verdict == VERDICT_DONE || (verdict == VERDICT_FRAMES && before(end, decided));
}

/* Whether a segment that is not wanted is to be told of all the same, without its bytes: the last of
 * DATA tells when a message ended.
 */
static __always_inline bool is_told(__u64 decided, const struct segment *s)
{
	enum verdict verdict = verdict_of(decided);

	if (s->flags & SEQUENCE_FLAGS)
		return verdict != VERDICT_DONE;
	return verdict == VERDICT_FRAMES && s->seq + s->len == (__u32)decided;
}

/* A message that follows content which was answered before it ended: nobody opens the window for it.
 * What begins a message is what someone wrote at once, so only such segments are looked at.
 */
static __always_inline bool follows_content(struct __sk_buff *skb, const struct segment *s)
{
	return s->flags & TCP_PSH && s->len >= START_BYTES &&
	       start_of(skb, s->offset, s->len) == START_MESSAGE;
}

/* The seq up to which a segment that starts at @s may be copied; the segment may be advanced. */
static __always_inline bool wanted_until(struct __sk_buff *skb, __u64 *chosen, struct segment *s,
					 __u32 tag, __u32 *until)
{
	__u32 end = s->seq + s->len;

	if (verdict_of(*chosen) == VERDICT_PROBE)
		*chosen = probe(skb, s, tag, *chosen);
	*until = (__u32)*chosen;
	switch (verdict_of(*chosen)) {
	case VERDICT_SKIP:
		if (before(s->seq, *until)) {
			if (!before(*until, end))
				return false;
			advance(s, *until);
		}
		*until = s->seq + COPY_WINDOW;
		*chosen = decision(tag, VERDICT_COPY, *until);
		return true;
	case VERDICT_FRAMES:
		if (!before(*until, end))
			return false;
		if (before(s->seq, *until))
			advance(s, *until);
		/* fallthrough */
	case VERDICT_FRAMES_COPY:
		*until += COPY_WINDOW;
		break;
	case VERDICT_CLOSED:
		if (!follows_content(skb, s))
			return false;
		*until = s->seq + COPY_WINDOW;
		*chosen = decision(tag, VERDICT_COPY, *until);
		return true;
	case VERDICT_PROBE:
	case VERDICT_COPY:
		break;
	default:
		return false;
	}
	if (before(s->seq, *until))
		return true;
	/* Without this, a bulk transfer of 2 GiB would come round to `until` again. */
	*chosen = decision(
		tag, verdict_of(*chosen) == VERDICT_PROBE ? VERDICT_PROBE_CLOSED : VERDICT_CLOSED,
		0);
	return false;
}

/* The peer has talked, so the other direction's next bytes, from @ack on, may be a head. While it
 * was closed, nobody kept its next_seq.
 */
static __always_inline void open_other_direction(struct flow_cell *other, __u32 tag, __u32 ack)
{
	__u64 decided = READ_ONCE(other->decision);

	if (decided >> DECISION_TAG_SHIFT != tag)
		return;
	switch (verdict_of(decided)) {
	case VERDICT_CLOSED:
		other->next_seq = ack;
		/* fallthrough */
	case VERDICT_COPY:
		decide(other, decided, decision(tag, VERDICT_COPY, ack + COPY_WINDOW));
		break;
	case VERDICT_PROBE_CLOSED:
		other->next_seq = ack;
		/* fallthrough */
	case VERDICT_PROBE:
		decide(other, decided, decision(tag, VERDICT_PROBE, ack + PROBE_WINDOW));
		break;
	default:
		break;
	}
}

#endif
