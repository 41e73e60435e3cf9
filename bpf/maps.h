/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The maps that the programs share, and every access to them. Each object file defines them weakly,
 * and the linker makes them one.
 */
#ifndef HEADERTAP_MAPS_H
#define HEADERTAP_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "event.h"

#define CUT_HEADERS 4096 /* a power of two */
#define RING_BYTES_DEFAULT (16 * 1024 * 1024) /* user space may set another size before loading */
#define FLOW_PAIRS (64 * 1024) /* a power of two; flows beyond share cells, which costs copies */

struct cut_header {
	__u64 whose; /* cell << 40 | how many bytes << 32 | seq */
	__u8 bytes[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES_DEFAULT);
} events __weak SEC(".maps");

/* Direct-mapped by a hash of the 4-tuple: a lookup is an index, whatever the number of flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOW_PAIRS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_pair);
} flows __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters __weak SEC(".maps");

/* BPF_F_CLONE: an accepted socket inherits its listener's owner. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct owner);
} owners __weak SEC(".maps");

/* HTTP/2 frame headers of which a segment has only the beginning. A flow may lose its own to another
 * with the same slot: then user space says where the next header is.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CUT_HEADERS);
	__type(key, __u32);
	__type(value, struct cut_header);
} cut_headers __weak SEC(".maps");

/* Returns how many that makes on this CPU. */
static __always_inline __u64 count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	return value ? ++*value : 0;
}

struct ring_level {
	__u64 waiting; /* bytes that are to be read */
	__u64 size; /* a power of two; 0: not asked */
};

static __always_inline struct ring_level ask_ring_level(void)
{
	struct ring_level level = {
		.waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA),
		.size = bpf_ringbuf_query(&events, BPF_RB_RING_SIZE),
	};

	return level;
}

/* Default wakeups cost more than all other work of a record: the reader polls, and is woken only
 * when the ring fills by another eighth within the next @bytes.
 */
static __always_inline __u64 wakeup_flags(struct ring_level level, __u64 bytes)
{
	return (level.waiting ^ (level.waiting + bytes)) & -(level.size / 8) ? BPF_RB_FORCE_WAKEUP :
									       BPF_RB_NO_WAKEUP;
}

#endif
