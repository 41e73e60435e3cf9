/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* HTTP/2 (RFC 9113 section 4.1): from frame header to frame header, and past the payload of DATA.
 *
 * A segment is sent in pieces, each from a frame header to the end of the DATA payload behind it,
 * of which only what is not that payload is copied. A segment that begins behind the cursor, as
 * after one that was lost or is late, is copied whole, and the cursor stays: the late one may take
 * it past both, and user space knows better in the end.
 */
#ifndef HEADERTAP_FRAMES_H
#define HEADERTAP_FRAMES_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "send.h"

#define FRAME_HEADER_BYTES 9
#define FRAME_DATA 0
#define FRAME_PADDED 0x08 /* the payload begins with the length of its padding (section 6.1) */
/* As much of a header as tells what is needed: length, type and flags. */
#define FRAME_PREFIX_BYTES 5
/* A record of its own costs as much as to copy a payload of this size along. */
#define SPLIT_MIN_BYTES 1024
#define FRAMES_MAX 128 /* in one segment; what is behind them is copied whole */

struct walk {
	struct segment rest; /* what is not sent yet */
	struct flow_ref ref;
	__u32 begin; /* seq of the whole segment */
	__u32 end;
	__u32 cursor; /* seq of the next frame header */
	enum verdict verdict; /* on what is before it */
};

static __always_inline __u64 cut_header_of(const struct walk *walk, __u32 present)
{
	return (__u64)walk->ref.cell << 40 | (__u64)present << 32 | walk->cursor;
}

static __always_inline struct cut_header *cut_header_slot(const struct walk *walk)
{
	__u32 slot = walk->ref.cell & (CUT_HEADERS - 1);

	return bpf_map_lookup_elem(&cut_headers, &slot);
}

/* The segment ends within what is needed of the frame at the cursor. */
static __always_inline void save_cut_header(struct __sk_buff *skb, const struct walk *walk)
{
	__u32 offset = walk->rest.offset + (walk->cursor - walk->rest.seq);
	__u32 last = walk->end - walk->cursor - 1;
	struct cut_header *slot = cut_header_slot(walk);

	if (!slot || before(walk->cursor, walk->begin))
		return;
	/* 6.1 follows the bounds of a value, not of what it was computed from. */
	asm volatile("" : "+r"(last));
	if (last >= sizeof(slot->bytes))
		return;
	slot->whose = 0;
	if (!bpf_skb_load_bytes(skb, offset, slot->bytes, last + 1))
		slot->whose = cut_header_of(walk, last + 1);
}

/* The first bytes of the header at the cursor, which may have begun in the segment before. */
static __always_inline bool load_header(struct __sk_buff *skb, const struct walk *walk, __u8 b[16])
{
	__u32 present = walk->begin - walk->cursor; /* in the segment before */
	struct cut_header *slot;

	if (!before(walk->cursor, walk->begin)) {
		__u32 offset = walk->rest.offset + (walk->cursor - walk->rest.seq);

		return !bpf_skb_load_bytes(skb, offset, b, FRAME_PREFIX_BYTES);
	}
	asm volatile("" : "+r"(present));
	slot = cut_header_slot(walk);
	if (present > FRAME_HEADER_BYTES || !slot ||
	    READ_ONCE(slot->whose) != cut_header_of(walk, present))
		return false;
	__builtin_memcpy(b, slot->bytes, sizeof(slot->bytes));
	return present >= FRAME_PREFIX_BYTES ||
	       !bpf_skb_load_bytes(skb, walk->rest.offset, b + present, FRAME_PREFIX_BYTES);
}

/* Sends what is not sent yet before @end, and copies of it what is before @unneeded. */
static __noinline int send_piece(struct __sk_buff *skb, struct walk *walk, __u32 unneeded,
				 __u32 end)
{
	struct segment *s = &walk->rest;
	__u32 len = s->len;
	__u8 flags = s->flags;

	s->len = end - s->seq;
	if (end != walk->end)
		s->flags &= ~SEQUENCE_FLAGS;
	send(skb, s, walk->ref, unneeded - s->seq);
	s->len = len;
	s->flags = flags;
	advance(s, end);
	return 0;
}

struct step {
	struct __sk_buff *skb;
	struct walk *walk;
};

/* Gives whether it was the last frame header of the segment. */
static long next_frame(__u32 index, void *context)
{
	struct step *step = context;
	struct walk *walk = step->walk;
	__u32 payload = walk->cursor + FRAME_HEADER_BYTES;
	__u32 length, next;
	__u8 b[16];

	(void)index;
	if (before(walk->end, payload) || !load_header(step->skb, walk, b))
		return 1;
	length = b[0] << 16 | b[1] << 8 | b[2];
	next = payload + length;
	if (b[3] == FRAME_DATA && b[4] & FRAME_PADDED && length)
		payload++;
	if (before(walk->end, payload))
		return 1;
	walk->cursor = next;
	walk->verdict = b[3] == FRAME_DATA ? VERDICT_FRAMES : VERDICT_FRAMES_COPY;
	if (b[3] == FRAME_DATA && before(walk->end, next))
		send_piece(step->skb, walk, payload, walk->end);
	else if (b[3] == FRAME_DATA && length >= SPLIT_MIN_BYTES)
		send_piece(step->skb, walk, payload, next);
	return !before(next, walk->end);
}

/* A global function: the verifier looks at it once, and not again behind every path that leads to
 * it.
 */
__noinline int walk_frames(struct __sk_buff *skb, struct walk *walk)
{
	struct step step = { .skb = skb, .walk = walk };

	if (!walk)
		return 0;
	bpf_loop(FRAMES_MAX, next_frame, &step, 0);
	if (before(walk->cursor, walk->end))
		save_cut_header(skb, walk);
	if (walk->rest.len)
		send_piece(skb, walk, walk->end, walk->end);
	return 0;
}

/* What comes late of a frame is needed as well, unless it is DATA: the cursor must not pass it. */
static __always_inline bool may_walk(enum verdict verdict, const struct segment *s, __u32 end,
				     __u32 next_seq)
{
	if (verdict == VERDICT_FRAMES_COPY)
		return !before(next_seq, s->seq) && before(next_seq, end);
	return verdict == VERDICT_FRAMES;
}

/* Sends what is needed of a segment, by @old. Gives what is decided of the next. */
static __always_inline __u64 send_frames(struct __sk_buff *skb, const struct segment *s,
					 struct flow_ref ref, __u64 old)
{
	struct walk walk;

	__builtin_memset(&walk, 0, sizeof(walk)); /* what is between the fields as well */
	walk.rest = *s;
	walk.ref = ref;
	walk.begin = s->seq;
	walk.end = s->seq + s->len;
	walk.cursor = old;
	walk.verdict = verdict_of(old);
	walk_frames(skb, &walk);
	return decision(ref.tag, walk.verdict, walk.cursor);
}

#endif
