/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a socket buffer to the TCP segment or UDP datagram in it.
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

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "transport.h"

#define VLAN_TAGS_MAX 2 /* QinQ */
#define EXTENSIONS_MAX 4 /* IPv6 extension headers before the transport's */
#define IPV4_FRAGMENT 0x3fff /* more-fragments flag and offset (RFC 791 section 3.1) */
#define IPV4_OFFSET 0x1fff
#define IPV6_FRAGMENT 0xfff9 /* offset and more-fragments flag (RFC 8200 section 4.5) */
#define IPV6_OFFSET 0xfff8

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

struct extension {
	__u8 next;
	__u8 len; /* in 8 bytes, the first 8 not counted (RFC 8200 section 4.3) */
	__be16 fragment; /* of a fragment header, offset and flags */
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

/* @transport lies in the linear part, which reaches to @limit. */
static __always_inline enum parse_result read_plain(__u8 protocol, const void *transport,
						    const void *limit, __u32 offset, __u32 end,
						    struct segment *segment)
{
	if (protocol == IPPROTO_TCP && transport + sizeof(struct tcphdr) <= limit)
		return read_tcp(transport, offset, end, segment);
	if (protocol == IPPROTO_UDP && transport + sizeof(struct udphdr) <= limit)
		return read_udp(transport, offset, end, segment);
	return PARSED_UNUSUAL;
}

/* @ip lies behind the Ethernet header in the linear part. */
static __always_inline enum parse_result parse_plain_ipv4(const struct iphdr *ip, const void *limit,
							  __u32 skb_len, struct segment *segment)
{
	__u32 end = ETH_HLEN + bpf_ntohs(ip->tot_len);

	if (*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IPV4_FRAGMENT) || !ip->tot_len ||
	    end > skb_len)
		return PARSED_UNUSUAL;
	segment->source = ipv4_mapped(ip->saddr);
	segment->destination = ipv4_mapped(ip->daddr);
	return read_plain(ip->protocol, ip + 1, limit, ETH_HLEN + sizeof(*ip), end, segment);
}

static __always_inline enum parse_result parse_plain_ipv6(const struct ipv6hdr *ip,
							  const void *limit, __u32 skb_len,
							  struct segment *segment)
{
	__u32 end = ETH_HLEN + sizeof(*ip) + bpf_ntohs(ip->payload_len);

	if (!ip->payload_len || end > skb_len)
		return PARSED_UNUSUAL;
	segment->source = address_of(&ip->saddr);
	segment->destination = address_of(&ip->daddr);
	return read_plain(ip->nexthdr, ip + 1, limit, ETH_HLEN + sizeof(*ip), end, segment);
}

/* TCP or UDP directly in IP directly in Ethernet, all headers in the linear part. */
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

static __always_inline enum parse_result load_transport(struct __sk_buff *skb, __u8 protocol,
							__u32 offset, __u32 end,
							struct segment *segment)
{
	struct tcphdr tcp;
	struct udphdr udp;

	if (protocol == IPPROTO_TCP && !bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)))
		return read_tcp(&tcp, offset, end, segment);
	if (protocol == IPPROTO_UDP && !bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)))
		return read_udp(&udp, offset, end, segment);
	return PARSED_OTHER;
}

/* Of a datagram in fragments the first is read: it has the ports, and most likely the question. */
static __always_inline bool is_passed_over(__u8 protocol, __be16 fragment, __u16 any, __u16 later)
{
	return fragment & bpf_htons(protocol == IPPROTO_UDP ? later : any);
}

static __always_inline enum parse_result load_ipv4(struct __sk_buff *skb, __u32 offset,
						   struct segment *segment)
{
	struct iphdr ip;
	__u32 end;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.ihl < 5 ||
	    (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP))
		return PARSED_OTHER;
	if (is_passed_over(ip.protocol, ip.frag_off, IPV4_FRAGMENT, IPV4_OFFSET))
		return PARSED_FRAGMENT;
	segment->source = ipv4_mapped(ip.saddr);
	segment->destination = ipv4_mapped(ip.daddr);
	/* tot_len is 0 where a GSO packet is larger than the field can say (BIG TCP). */
	end = ip.tot_len ? offset + bpf_ntohs(ip.tot_len) : skb->len;
	if (end > skb->len)
		return PARSED_OTHER;
	return load_transport(skb, ip.protocol, offset + ip.ihl * 4, end, segment);
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
	for (int i = 0; i < EXTENSIONS_MAX && next != IPPROTO_TCP && next != IPPROTO_UDP; i++) {
		bool is_fragment = next == IPPROTO_FRAGMENT;

		if (!is_fragment && next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_DSTOPTS)
			return PARSED_OTHER;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
			return PARSED_OTHER;
		next = extension.next;
		if (is_fragment &&
		    is_passed_over(next, extension.fragment, IPV6_FRAGMENT, IPV6_OFFSET))
			return PARSED_FRAGMENT;
		offset += is_fragment ? 8 : (extension.len + 1) * 8;
	}
	return load_transport(skb, next, offset, end, segment);
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
