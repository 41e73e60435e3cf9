/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Everything that crosses from the kernel to user space: the records of the `events` ring buffer,
 * the cells of `flows` that user space writes back, and the counters. exporter/src/event.rs is the
 * other side; sizes are asserted on both. Integers are in host byte order.
 */
#ifndef HEADERTAP_EVENT_H
#define HEADERTAP_EVENT_H

#include <linux/types.h>

enum event_kind {
	EVENT_SEGMENT = 1, /* struct segment_event, then cap_len bytes of payload */
	EVENT_OPEN, /* struct socket_event: the handshake is complete */
	EVENT_CLOSE, /* struct socket_event: the socket is closed, totals are final */
	EVENT_FAILED, /* struct socket_event: the handshake was never completed */
	EVENT_EXISTING, /* struct socket_event: the connection is older than headertap */
	EVENT_DATAGRAM, /* struct datagram_event, then cap_len bytes of payload */
};

enum socket_role {
	ROLE_UNKNOWN,
	ROLE_CLIENT, /* connect() */
	ROLE_SERVER, /* accept() */
};

struct event_hdr {
	__u64 boot_ns; /* CLOCK_BOOTTIME */
	__u64 socket_cookie; /* the sender's (segment) or the socket's own; 0: not known */
	__u8 saddr[16]; /* IPv4 addresses are IPv4-mapped (RFC 4291 section 2.5.5.2) */
	__u8 daddr[16];
	__u16 sport;
	__u16 dport;
	__u8 kind; /* enum event_kind */
	__u8 reserved[3];
};

/* One TCP segment, or the part of it that the flow's verdict wants. */
struct segment_event {
	struct event_hdr hdr;
	__u32 seq; /* of the first byte of `len`, or of SYN */
	__u32 ack;
	__u32 len; /* payload bytes from `seq` on, in the packet */
	__u32 cap_len; /* how many of them follow this struct */
	__u32 cell; /* index of the direction's cell in `flows`; the other direction's is cell ^ 1 */
	__u32 tag; /* what identifies the flow in that cell */
	__u32 ifindex;
	__u8 tcp_flags; /* RFC 9293 section 3.1: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32 */
	__u8 reserved[3];
};

struct owner {
	__u32 pid; /* thread group id in the initial pid namespace; 0: not known */
	__u32 uid;
	__u64 cgroup_id;
	char comm[16];
};

/* One UDP datagram that may be DNS. One that passes several interfaces is sent for each. */
struct datagram_event {
	struct event_hdr hdr;
	struct owner owner; /* of the sender's socket */
	__u32 len; /* payload bytes, in all fragments */
	__u32 cap_len; /* how many of them follow this struct */
	__u32 ifindex;
	__u8 ingress;
	__u8 reserved[3];
};

/* A socket's change of state. Source is the socket's own address, destination its peer's. */
struct socket_event {
	struct event_hdr hdr;
	struct owner owner;
	__u64 bytes_sent; /* acknowledged by the peer */
	__u64 bytes_received;
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits;
	__u32 srtt_us;
	__u32 min_rtt_us;
	__u32 cwnd;
	__u32 netns_inode;
	__u8 role; /* enum socket_role */
	__u8 old_state; /* TCP state before, for EVENT_CLOSE and EVENT_FAILED */
	__u8 reserved[2];
};

/* What is done with the payload of one direction of a flow. */
enum verdict {
	VERDICT_PROBE = 1, /* protocol not known: copy until seq, look how each segment begins */
	VERDICT_COPY, /* copy until seq */
	VERDICT_CLOSED, /* seq was passed: copy nothing until the other direction talks */
	VERDICT_PROBE_CLOSED, /* the same, after VERDICT_PROBE */
	VERDICT_SKIP, /* copy nothing until seq, then copy */
	VERDICT_DONE, /* copy nothing until the next SYN */
	VERDICT_FRAMES, /* HTTP/2: copy nothing until the frame header at seq, then all but DATA */
	VERDICT_FRAMES_COPY, /* the same, but what is before seq is copied */
};

/* How far ahead a direction is copied, in bytes. */
enum window {
	PROBE_WINDOW = 4096,
	HELLO_WINDOW = 20 * 1024, /* a ClientHello of 16 KiB, in records of any size */
	COPY_WINDOW = 80 * 1024, /* a head may be 64 KiB, and more rides along in its segments */
};

/* One direction of a flow. User space stores `decision` as one 8-byte word. */
struct flow_cell {
	__u64 decision; /* tag << 40 | enum verdict << 32 | seq */
	__u32 next_seq; /* behind the last byte seen */
	__u32 owner; /* the interface and hook that saw the direction first */
};

/* Both directions of a flow. */
struct flow_pair {
	struct flow_cell cells[2];
};

enum decision_layout {
	DECISION_VERDICT_SHIFT = 32,
	DECISION_TAG_SHIFT = 40,
};

enum counter {
	COUNTER_SEGMENTS_SEEN, /* segments that were to be copied */
	COUNTER_SEGMENTS_RINGBUF_FULL,
	COUNTER_SEGMENTS_NOT_LOADED,
	COUNTER_SOCKETS_SEEN, /* socket events that were to be sent */
	COUNTER_SOCKETS_RINGBUF_FULL,
	COUNTER_DATAGRAMS_SEEN, /* datagrams that were to be copied */
	COUNTER_DATAGRAMS_RINGBUF_FULL,
	COUNTER_DATAGRAMS_NOT_LOADED,
	COUNTER_FRAGMENTS, /* IP fragments passed over */
	COUNTER_MAX,
};

_Static_assert(sizeof(struct event_hdr) == 56, "event_hdr has padding");
_Static_assert(sizeof(struct segment_event) == 88, "segment_event has padding");
_Static_assert(sizeof(struct datagram_event) == 104, "datagram_event has padding");
_Static_assert(sizeof(struct socket_event) == 136, "socket_event has padding");
_Static_assert(sizeof(struct flow_cell) == 16, "flow_cell has padding");

#endif
