/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a transport header to what is behind it. */
#ifndef HEADERTAP_TRANSPORT_H
#define HEADERTAP_TRANSPORT_H

#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum parse_result {
	PARSED_TCP,
	PARSED_UDP,
	PARSED_NOTHING, /* TCP without payload, SYN, FIN and RST: nothing to tell */
	PARSED_FRAGMENT,
	PARSED_OTHER, /* neither, or cut short */
	PARSED_UNUSUAL, /* not of a shape that is read in place */
};

struct address {
	__u64 high;
	__u64 low; /* network byte order, as on the wire */
};

/* A TCP segment, or a UDP datagram, which leaves the TCP fields alone. */
struct segment {
	struct address source;
	struct address destination;
	__u16 sport;
	__u16 dport;
	__u32 seq;
	__u32 ack;
	__u32 offset; /* of the payload in the socket buffer */
	__u32 len; /* of the payload, link padding excluded */
	__u32 present; /* of a datagram, how much of it this packet has: others may be fragments */
	__u8 flags;
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define SEQUENCE_FLAGS (TCP_SYN | TCP_FIN | TCP_RST)

/* @offset is where TCP begins, @end where the network packet ends, which may be before the frame
 * does.
 */
static __always_inline enum parse_result read_tcp(const struct tcphdr *tcp, __u32 offset, __u32 end,
						  struct segment *segment)
{
	segment->flags = ((const __u8 *)tcp)[13];
	segment->offset = offset + tcp->doff * 4;
	if (tcp->doff < 5 || segment->offset > end)
		return PARSED_OTHER;
	segment->len = end - segment->offset;
	if (!segment->len && !(segment->flags & SEQUENCE_FLAGS))
		return PARSED_NOTHING;
	segment->sport = bpf_ntohs(tcp->source);
	segment->dport = bpf_ntohs(tcp->dest);
	segment->seq = bpf_ntohl(tcp->seq);
	segment->ack = bpf_ntohl(tcp->ack_seq);
	return PARSED_TCP;
}

/* The same for UDP. */
static __always_inline enum parse_result read_udp(const struct udphdr *udp, __u32 offset, __u32 end,
						  struct segment *segment)
{
	__u32 len = bpf_ntohs(udp->len);

	segment->offset = offset + sizeof(*udp);
	if (segment->offset > end || (len && len < sizeof(*udp)))
		return PARSED_OTHER;
	segment->present = end - segment->offset;
	/* The length is 0 where the field cannot tell it (RFC 2675 section 4). */
	segment->len = len ? len - sizeof(*udp) : segment->present;
	if (segment->present > segment->len)
		segment->present = segment->len;
	segment->sport = bpf_ntohs(udp->source);
	segment->dport = bpf_ntohs(udp->dest);
	return PARSED_UDP;
}

#endif
