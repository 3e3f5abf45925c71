/* The fast path of the sensor: drops, at the driver, what comes from or goes to a blocked address, and counts what only
 * is to be counted. Each address is judged alone: an allowed source does not excuse a blocked destination. What cannot
 * be read (no IP, cut off) passes: this program never drops for want of understanding.
 *
 * An allowed address is never dropped. It is looked up last, only for an address that would be dropped or counted: the
 * outcome is the same as asking first, and ordinary traffic pays for one hash lookup per address.
 *
 * Only headers of the wire are read, and uapi headers describe them: no relocation against the kernel's own types, so
 * the program loads on kernels without BTF. Needs Linux 5.18. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "drop_layout.h"

#define HOSTS 1048576 /* set by the sensor before loading */
#define NETS 16384
#define MAX_TAGS 2 /* 802.1ad outside, 802.1Q inside */

#define MAP(name, kind, key_type, value_type, size, flags) \
  struct {                                                 \
    __uint(type, kind);                                    \
    __type(key, key_type);                                 \
    __type(value, value_type);                             \
    __uint(max_entries, size);                             \
    __uint(map_flags, flags);                              \
  } name SEC(".maps")

/* Keeps the compiler from joining two tests for null, or two stores, by arithmetic on pointers, which the verifier refuses
 * (the latter without CAP_PERFMON: what runs with CAP_BPF alone may not be led astray by speculation). */
#define SEPARATE_TESTS() asm volatile("" ::: "memory")

struct address6 {
  __u8 bytes[16];
};

/* Memory follows use: a million slots for each family taken in advance would cost 120 MB twice. */
MAP(hosts4, BPF_MAP_TYPE_HASH, __u32, struct drop_entry, HOSTS, BPF_F_NO_PREALLOC);
MAP(hosts6, BPF_MAP_TYPE_HASH, struct address6, struct drop_entry, HOSTS, BPF_F_NO_PREALLOC);
MAP(nets4, BPF_MAP_TYPE_LPM_TRIE, struct drop_prefix4, struct drop_entry, NETS, BPF_F_NO_PREALLOC);
MAP(nets6, BPF_MAP_TYPE_LPM_TRIE, struct drop_prefix6, struct drop_entry, NETS, BPF_F_NO_PREALLOC);
MAP(allow4, BPF_MAP_TYPE_LPM_TRIE, struct drop_prefix4, __u32, NETS, BPF_F_NO_PREALLOC);
MAP(allow6, BPF_MAP_TYPE_LPM_TRIE, struct drop_prefix6, __u32, NETS, BPF_F_NO_PREALLOC);
MAP(control, BPF_MAP_TYPE_ARRAY, __u32, struct drop_control, 1, 0);
MAP(totals, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct drop_totals, 1, 0);

struct tag {
  __be16 id;
  __be16 proto;
};

static __always_inline void count(struct drop_entry *e, __u64 bytes) {
  __sync_fetch_and_add(&e->packets, 1);
  __sync_fetch_and_add(&e->bytes, bytes);
}

/* What one address asks for, of its own entry and of the narrowest range around it. Returns whether to drop. */
static __always_inline int judge(struct drop_entry *host, struct drop_entry *net, const struct drop_control *c,
                                 __u64 bytes) {
  const __u32 zero = 0;
  const __u64 now = bpf_ktime_get_boot_ns();
  struct drop_totals *t = bpf_map_lookup_elem(&totals, &zero);
  struct drop_entry *hit = 0;
  if (!t) return 0;
  if (host && host->drop_end > now)
    hit = host;
  else if (net && net->drop_end > now)
    hit = net;
  if (hit && c->deadline <= now) {
    t->open_packets += 1;
    return 0;
  }
  if (hit) {
    count(hit, bytes);
    t->dropped_packets += 1;
    t->dropped_bytes += bytes;
    return 1;
  }
  if (host && host->watch_end > now)
    hit = host;
  else if (net && net->watch_end > now)
    hit = net;
  if (hit) {
    count(hit, bytes);
    t->shadow_packets += 1;
    t->shadow_bytes += bytes;
    SEPARATE_TESTS(); /* else the totals of both cases are one store, at an offset that is chosen */
  }
  return 0;
}

static __always_inline int judge4(__u32 address, const struct drop_control *c, __u64 bytes) {
  struct drop_prefix4 key = {.bits = 32};
  struct drop_entry *host = bpf_map_lookup_elem(&hosts4, &address), *net = 0;
  if (!host && !c->have_nets4) return 0;
  __builtin_memcpy(key.address, &address, 4);
  if (c->have_nets4) net = bpf_map_lookup_elem(&nets4, &key);
  if (!host) {
    SEPARATE_TESTS();
    if (!net) return 0;
  }
  if (bpf_map_lookup_elem(&allow4, &key)) return 0;
  return judge(host, net, c, bytes);
}

static __always_inline int judge6(const struct in6_addr *address, const struct drop_control *c, __u64 bytes) {
  struct drop_prefix6 key = {.bits = 128};
  struct drop_entry *host, *net = 0;
  __builtin_memcpy(key.address, address, 16);
  host = bpf_map_lookup_elem(&hosts6, key.address);
  if (!host && !c->have_nets6) return 0;
  if (c->have_nets6) net = bpf_map_lookup_elem(&nets6, &key);
  if (!host) {
    SEPARATE_TESTS();
    if (!net) return 0;
  }
  if (bpf_map_lookup_elem(&allow6, &key)) return 0;
  return judge(host, net, c, bytes);
}

SEC("xdp.frags")
int entente_drop(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  const __u64 bytes = bpf_xdp_get_buff_len(ctx); /* a difference of pointers would ask for CAP_PERFMON */
  const __u32 zero = 0;
  const struct drop_control *c = bpf_map_lookup_elem(&control, &zero);
  const struct ethhdr *eth = data;
  __be16 proto;
  if (!c || (void *)(eth + 1) > end) return XDP_PASS;
  proto = eth->h_proto;
  data = (void *)(eth + 1);
#pragma unroll
  for (int i = 0; i < MAX_TAGS; ++i) {
    const struct tag *tag = data;
    if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD)) break;
    if ((void *)(tag + 1) > end) return XDP_PASS;
    proto = tag->proto;
    data = (void *)(tag + 1);
  }
  if (proto == bpf_htons(ETH_P_IP)) {
    const struct iphdr *ip = data;
    if ((void *)(ip + 1) > end || ip->version != 4) return XDP_PASS;
    if (judge4(ip->saddr, c, bytes) || judge4(ip->daddr, c, bytes)) return XDP_DROP;
  } else if (proto == bpf_htons(ETH_P_IPV6)) {
    const struct ipv6hdr *ip = data;
    if ((void *)(ip + 1) > end || ip->version != 6) return XDP_PASS;
    if (judge6(&ip->saddr, c, bytes) || judge6(&ip->daddr, c, bytes)) return XDP_DROP;
  }
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
