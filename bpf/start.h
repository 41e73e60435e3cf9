/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a segment begins with, as far as its first bytes tell: enough to know how much is to be
 * copied. User space reads the grammar, and is not misled by a wrong guess made here.
 */
#ifndef HEADERTAP_START_H
#define HEADERTAP_START_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "packet.h"

#define START_BYTES 8
#define PREFACE_BYTES 24 /* RFC 9113 section 3.4 */
#define SETTING_BYTES 6 /* RFC 9113 section 6.5.1 */
#define DNS_HEADER_BYTES 12 /* RFC 1035 section 4.1.1 */

enum start {
	START_UNKNOWN,
	START_MESSAGE, /* of HTTP/1 or of DNS, or too few bytes to tell */
	START_HELLO, /* a TLS record with a ClientHello */
	START_PREFACE, /* what an HTTP/2 client begins with: frames follow */
	START_SETTINGS, /* what an HTTP/2 server begins with */
};

/* A method and a blank, or a version: what an HTTP/1 head starts with (RFC 9112 sections 3, 4). */
static __always_inline bool starts_http1(const __u8 b[START_BYTES])
{
	if (b[0] == 'H' && b[1] == 'T' && b[2] == 'T' && b[3] == 'P' && b[4] == '/')
		return true;
	for (int i = 0; i < START_BYTES; i++) {
		if (b[i] == ' ')
			return i >= 3;
		if ((b[i] < 'A' || b[i] > 'Z') && b[i] != '-')
			return false;
	}
	return true;
}

/* A handshake record (RFC 8446 section 5.1) whose message is a ClientHello. */
static __always_inline bool starts_client_hello(const __u8 b[START_BYTES])
{
	return b[0] == 22 && b[1] == 3 && b[2] <= 4 && b[5] == 1;
}

/* The header of a SETTINGS frame without ACK (RFC 9113 section 6.5). */
static __always_inline bool starts_settings(const __u8 b[START_BYTES])
{
	return !b[0] && !b[1] && b[2] % SETTING_BYTES == 0 && b[3] == 4 && !b[4] && !b[5] &&
	       !b[6] && !b[7];
}

/* A length, then a header with one question, an opcode that exists and no reserved bit
 * (RFC 1035 sections 4.1.1, 4.2.2).
 */
static __always_inline bool starts_dns(const __u8 b[START_BYTES])
{
	return (b[0] << 8 | b[1]) > DNS_HEADER_BYTES && (b[4] >> 3 & 15) <= 6 && !(b[5] & 0x40) &&
	       !b[6] && b[7] == 1;
}

static __always_inline bool is_preface(struct __sk_buff *skb, __u32 offset)
{
	static const char preface[PREFACE_BYTES] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	char b[PREFACE_BYTES];

	if (bpf_skb_load_bytes(skb, offset, b, sizeof(b)))
		return false;
	for (int i = 0; i < PREFACE_BYTES; i++) {
		if (b[i] != preface[i])
			return false;
	}
	return true;
}

/* Gives an enum start. A global function: the verifier looks at it once, and not at all that follows
 * once more for every way through it.
 */
__noinline int start_of(struct __sk_buff *skb, __u32 offset, __u32 len)
{
	__u8 b[START_BYTES] = {};

	if (len < sizeof(b))
		return START_MESSAGE;
	if (bpf_skb_load_bytes(skb, offset, b, sizeof(b)))
		return START_UNKNOWN;
	if (b[0] == 'P' && b[1] == 'R' && b[2] == 'I' && len >= PREFACE_BYTES &&
	    is_preface(skb, offset))
		return START_PREFACE;
	if (starts_http1(b) || starts_dns(b))
		return START_MESSAGE;
	if (starts_client_hello(b))
		return START_HELLO;
	return starts_settings(b) ? START_SETTINGS : START_UNKNOWN;
}

#endif
