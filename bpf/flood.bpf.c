/* For the bench: sends the frame it is run with out of an interface, each time from another of `sources` addresses. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 interface = 0, sources = 1, first = 0, checksum = 0;

SEC("xdp")
int flood(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end) return XDP_ABORTED;
  ip->saddr = bpf_htonl(first + bpf_get_prandom_u32() % sources);
  if (checksum) { /* whoever stands behind the stack's own checks needs a right one */
    const __u16 *words = (void *)ip;
    __u32 sum = 0;
    ip->check = 0;
#pragma unroll
    for (int i = 0; i < 10; ++i) sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->check = (__u16)~sum;
  }
  return bpf_redirect(interface, 0);
}

char LICENSE[] SEC("license") = "Apache-2.0";
