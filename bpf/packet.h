/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a socket buffer to the TCP segment in it.
 *
 * Headers of the two usual shapes are read where they lie, if they lie in the linear part: a helper
 * call costs as much as the whole of that. Everything else goes through bpf_skb_load_bytes(), which
 * also reaches page fragments. Nothing is ever pulled or written.
 */
#ifndef HEADERTAP_PACKET_H
#define HEADERTAP_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_TAGS_MAX 2 /* QinQ */
#define EXTENSIONS_MAX 4 /* IPv6 extension headers before TCP */
#define IPV4_FRAGMENT 0x3fff /* more-fragments flag and offset (RFC 791 section 3.1) */

enum parse_result {
	PARSED_TCP,
	PARSED_NOTHING, /* TCP without payload, SYN, FIN and RST: nothing to tell */
	PARSED_FRAGMENT,
	PARSED_OTHER, /* not TCP, or cut short */
	PARSED_UNUSUAL, /* not of a shape that is read in place */
};

struct address {
	__u64 high;
	__u64 low; /* network byte order, as on the wire */
};

struct segment {
	struct address source;
	struct address destination;
	__u16 sport;
	__u16 dport;
	__u32 seq;
	__u32 ack;
	__u32 offset; /* of the payload in the socket buffer */
	__u32 len; /* of the payload, link padding excluded */
	__u8 flags;
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define SEQUENCE_FLAGS (TCP_SYN | TCP_FIN | TCP_RST)

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

struct extension {
	__u8 next;
	__u8 len; /* in 8 bytes, the first 8 not counted (RFC 8200 section 4.3) */
};

static __always_inline struct address address_of(const struct in6_addr *v6)
{
	struct address address;

	__builtin_memcpy(&address, v6, sizeof(address));
	return address;
}

static __always_inline struct address ipv4_mapped(__be32 v4)
{
	struct address address = { .low = (__u64)v4 << 32 | bpf_htonl(0xffff) };

	return address;
}

/* The EtherType of the network header, and in @offset where that header begins. */
static __always_inline __be16 network_header(struct __sk_buff *skb, __u32 *offset)
{
	struct vlan_tag tag;
	__be16 proto;

	if (bpf_skb_load_bytes(skb, ETH_ALEN * 2, &proto, sizeof(proto)))
		return 0;
	*offset = ETH_HLEN;
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if (bpf_skb_load_bytes(skb, *offset, &tag, sizeof(tag)))
			return 0;
		proto = tag.proto;
		*offset += sizeof(tag);
	}
	return proto;
}

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

/* @ip lies behind the Ethernet header in the linear part, which reaches to @limit. */
static __always_inline enum parse_result parse_plain_ipv4(const struct iphdr *ip, const void *limit,
							  __u32 skb_len, struct segment *segment)
{
	const struct tcphdr *tcp = (const void *)(ip + 1);
	__u32 end = ETH_HLEN + bpf_ntohs(ip->tot_len);

	if ((const void *)(tcp + 1) > limit || *(const __u8 *)ip != 0x45 ||
	    ip->protocol != IPPROTO_TCP || ip->frag_off & bpf_htons(IPV4_FRAGMENT) ||
	    !ip->tot_len || end > skb_len)
		return PARSED_UNUSUAL;
	segment->source = ipv4_mapped(ip->saddr);
	segment->destination = ipv4_mapped(ip->daddr);
	return read_tcp(tcp, ETH_HLEN + sizeof(*ip), end, segment);
}

static __always_inline enum parse_result parse_plain_ipv6(const struct ipv6hdr *ip,
							  const void *limit, __u32 skb_len,
							  struct segment *segment)
{
	const struct tcphdr *tcp = (const void *)(ip + 1);
	__u32 end = ETH_HLEN + sizeof(*ip) + bpf_ntohs(ip->payload_len);

	if ((const void *)(tcp + 1) > limit || ip->nexthdr != IPPROTO_TCP || !ip->payload_len ||
	    end > skb_len)
		return PARSED_UNUSUAL;
	segment->source = address_of(&ip->saddr);
	segment->destination = address_of(&ip->daddr);
	return read_tcp(tcp, ETH_HLEN + sizeof(*ip), end, segment);
}

/* TCP directly in IP directly in Ethernet, all in the linear part. */
static __always_inline enum parse_result parse_plain(struct __sk_buff *skb, struct segment *segment)
{
	const void *limit = (const void *)(long)skb->data_end;
	const struct ethhdr *eth = (const void *)(long)skb->data;
	const void *ip = eth + 1;

	if (ip + sizeof(struct ipv6hdr) > limit)
		return PARSED_UNUSUAL;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_plain_ipv4(ip, limit, skb->len, segment);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_plain_ipv6(ip, limit, skb->len, segment);
	return PARSED_UNUSUAL;
}

static __always_inline enum parse_result load_tcp(struct __sk_buff *skb, __u32 offset, __u32 end,
						  struct segment *segment)
{
	struct tcphdr tcp;

	if (bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return PARSED_OTHER;
	return read_tcp(&tcp, offset, end, segment);
}

static __always_inline enum parse_result load_ipv4(struct __sk_buff *skb, __u32 offset,
						   struct segment *segment)
{
	struct iphdr ip;
	__u32 end;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP ||
	    ip.ihl < 5)
		return PARSED_OTHER;
	if (ip.frag_off & bpf_htons(IPV4_FRAGMENT))
		return PARSED_FRAGMENT;
	segment->source = ipv4_mapped(ip.saddr);
	segment->destination = ipv4_mapped(ip.daddr);
	/* tot_len is 0 where a GSO packet is larger than the field can say (BIG TCP). */
	end = ip.tot_len ? offset + bpf_ntohs(ip.tot_len) : skb->len;
	if (end > skb->len)
		return PARSED_OTHER;
	return load_tcp(skb, offset + ip.ihl * 4, end, segment);
}

static __always_inline enum parse_result load_ipv6(struct __sk_buff *skb, __u32 offset,
						   struct segment *segment)
{
	struct extension extension;
	struct ipv6hdr ip;
	__u32 end;
	__u8 next;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
		return PARSED_OTHER;
	segment->source = address_of(&ip.saddr);
	segment->destination = address_of(&ip.daddr);
	next = ip.nexthdr;
	offset += sizeof(ip);
	/* payload_len is 0 for a jumbogram or a BIG TCP packet. */
	end = ip.payload_len ? offset + bpf_ntohs(ip.payload_len) : skb->len;
	if (end > skb->len)
		return PARSED_OTHER;
	for (int i = 0; i < EXTENSIONS_MAX && next != IPPROTO_TCP; i++) {
		if (next == IPPROTO_FRAGMENT)
			return PARSED_FRAGMENT;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return PARSED_OTHER;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
			return PARSED_OTHER;
		next = extension.next;
		offset += (extension.len + 1) * 8;
	}
	return next == IPPROTO_TCP ? load_tcp(skb, offset, end, segment) : PARSED_OTHER;
}

static __always_inline enum parse_result load_segment(struct __sk_buff *skb, bool ethernet,
						      struct segment *segment)
{
	__u32 offset = 0;
	__be16 proto = ethernet ? network_header(skb, &offset) : (__be16)skb->protocol;

	if (proto == bpf_htons(ETH_P_IP))
		return load_ipv4(skb, offset, segment);
	if (proto == bpf_htons(ETH_P_IPV6))
		return load_ipv6(skb, offset, segment);
	return PARSED_OTHER;
}

/* @ethernet: the frame begins with an Ethernet header, not with the network header. */
static __always_inline enum parse_result parse_segment(struct __sk_buff *skb, bool ethernet,
						       struct segment *segment)
{
	enum parse_result result = ethernet ? parse_plain(skb, segment) : PARSED_UNUSUAL;

	return result == PARSED_UNUSUAL ? load_segment(skb, ethernet, segment) : result;
}

#endif
