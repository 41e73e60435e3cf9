// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* TC programs: copy the header bytes of TCP segments into the ring, by the flow's verdict, and DNS
 * datagrams.
 *
 * We observe: every path returns TC_ACT_UNSPEC (= TCX_NEXT), and nothing is written to a packet.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "datagram.h"
#include "event.h"
#include "flow.h"
#include "frames.h"
#include "maps.h"
#include "packet.h"
#include "send.h"

char LICENSE[] SEC("license") = "GPL";

/* Nobody reads it: it takes the enums along as types, where user space checks its own numbers. */
const volatile struct {
	enum event_kind kind;
	enum socket_role role;
	enum verdict verdict;
	enum window window;
	enum decision_layout decision;
	enum counter counter;
} shared_numbers;

/* @end: the sequence number behind the segment, SYN and FIN counted (RFC 9293 section 3.4). */
static __always_inline void capture(struct __sk_buff *skb, struct segment *s, struct flow_ref ref,
				    struct flow_pair *pair, __u32 end, __u32 sighting)
{
	struct flow_cell *cell = &pair->cells[ref.cell & 1];
	__u64 decided = READ_ONCE(cell->decision), chosen;
	bool known = decided >> DECISION_TAG_SHIFT == ref.tag;
	bool fresh = !known || (s->flags & TCP_SYN);
	bool wanted, by_frames;
	__u32 until = s->seq;

	if (known && !(s->flags & SEQUENCE_FLAGS) && is_bulk(decided, s))
		return;
	chosen = fresh ? decision(ref.tag, VERDICT_PROBE, s->seq + PROBE_WINDOW) : decided;
	wanted = s->len && wanted_until(skb, &chosen, s, ref.tag, &until);
	if (!wanted && !is_told(chosen, s)) {
		decide(cell, decided, chosen);
		return;
	}
	if (known && seen_before(cell, s, end, sighting))
		return;
	by_frames = wanted && may_walk(verdict_of(chosen), s, end, fresh ? s->seq : cell->next_seq);
	if (fresh)
		cell->owner = sighting;
	if (fresh || before(cell->next_seq, end))
		cell->next_seq = end;
	if (__builtin_expect(by_frames, 0))
		chosen = send_frames(skb, s, ref, chosen);
	decide(cell, decided, chosen);
	if (wanted)
		open_other_direction(&pair->cells[~ref.cell & 1], ref.tag, s->ack);
	if (__builtin_expect(by_frames, 0))
		return;
	send(skb, s, ref, !wanted ? 0 : until - s->seq < s->len ? until - s->seq : s->len);
}

static __always_inline int observe(struct __sk_buff *skb, bool ethernet, bool ingress)
{
	enum parse_result result;
	struct flow_pair *flow;
	struct flow_ref ref;
	struct segment s = {};
	__u32 end, pair;

	result = parse_segment(skb, ethernet, &s);
	if (result == PARSED_FRAGMENT)
		count(COUNTER_FRAGMENTS);
	if (result == PARSED_UDP)
		observe_datagram(skb, &s, ingress);
	if (result != PARSED_TCP)
		return TC_ACT_UNSPEC;
	ref = flow_of(&s);
	end = s.seq + s.len + !!(s.flags & TCP_SYN) + (s.flags & TCP_FIN);
	pair = ref.cell >> 1;
	flow = bpf_map_lookup_elem(&flows, &pair);
	if (flow)
		capture(skb, &s, ref, flow, end, skb->ifindex << 1 | ingress);
	return TC_ACT_UNSPEC;
}

SEC("tcx/egress")
int tc_egress(struct __sk_buff *skb)
{
	return observe(skb, true, false);
}

SEC("tcx/ingress")
int tc_ingress(struct __sk_buff *skb)
{
	return observe(skb, true, true);
}

/* For links without an Ethernet header: tun, WireGuard, raw IP. */
SEC("tcx/egress")
int tc_egress_l3(struct __sk_buff *skb)
{
	return observe(skb, false, false);
}

SEC("tcx/ingress")
int tc_ingress_l3(struct __sk_buff *skb)
{
	return observe(skb, false, true);
}
