/* For the bench: sends the frame it is run with out of an interface, each time from another of `sources` addresses. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 interface = 0, sources = 1, first = 0;

SEC("xdp")
int flood(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end) return XDP_ABORTED;
  ip->saddr = bpf_htonl(first + bpf_get_prandom_u32() % sources);
  return bpf_redirect(interface, 0);
}

char LICENSE[] SEC("license") = "Apache-2.0";
