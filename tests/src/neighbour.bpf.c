// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Another tool's programs, as headertap may meet them on a host: they count what they see. And two
 * that make a tagged wire on kernels without the VLAN module: they push and pop VLAN tags.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*skb_vlan_push)(struct __sk_buff *skb, __be16 proto,
			     __u16 tci) = (void *)BPF_FUNC_skb_vlan_push;
static long (*skb_vlan_pop)(struct __sk_buff *skb) = (void *)BPF_FUNC_skb_vlan_pop;

char LICENSE[] SEC("license") = "GPL";

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	__u64 *value;
} neighbour_seen SEC(".maps");

static __attribute__((always_inline)) void count(void)
{
	__u32 zero = 0;
	__u64 *seen = map_lookup_elem(&neighbour_seen, &zero);

	if (seen)
		__sync_fetch_and_add(seen, 1);
}

/* One kind in one object: bpftool loads all that is in it. */
#ifdef SOCKOPS
SEC("sockops")
int neighbour_sock(struct bpf_sock_ops *ctx)
{
	count();
	return 1;
}

#else
SEC("tc/count")
int neighbour_tc(struct __sk_buff *skb)
{
	count();
	return TC_ACT_UNSPEC;
}

SEC("tc/tag")
int tag(struct __sk_buff *skb)
{
	skb_vlan_push(skb, __builtin_bswap16(ETH_P_8021Q), 5);
	return TC_ACT_OK;
}

SEC("tc/untag")
int untag(struct __sk_buff *skb)
{
	skb_vlan_pop(skb);
	return TC_ACT_OK;
}

SEC("tc/tag2")
int tag_twice(struct __sk_buff *skb)
{
	skb_vlan_push(skb, __builtin_bswap16(ETH_P_8021Q), 5);
	skb_vlan_push(skb, __builtin_bswap16(ETH_P_8021AD), 6);
	return TC_ACT_OK;
}

SEC("tc/untag2")
int untag_twice(struct __sk_buff *skb)
{
	skb_vlan_pop(skb);
	skb_vlan_pop(skb);
	return TC_ACT_OK;
}

#endif
