/* What the XDP program and the sensor share: the values of its maps. Both sides of a machine, so host byte order; times
 * are nanoseconds of CLOCK_BOOTTIME (they go on while the machine sleeps), 0 = never was. Change a layout, and
 * DROP_LAYOUT with it: the sensor then makes new maps instead of taking over pinned ones. */
#pragma once

#include <linux/types.h>

#define DROP_LAYOUT 1

/* Key of the longest-prefix maps: length first, then the address in network byte order. */
struct drop_prefix4 {
  __u32 bits;
  __u8 address[4];
};
struct drop_prefix6 {
  __u32 bits;
  __u8 address[16];
};

/* An address or a range. In force as a drop before drop_end, as a count before watch_end. Counters last, so that one
 * cache line holds all of it in most slots. */
struct drop_entry {
  __u64 drop_end;
  __u64 watch_end;
  __u64 packets;
  __u64 bytes;
};

/* The one element of `control`. */
struct drop_control {
  __u64 deadline;   /* once past, everything passes: the sensor has been away too long */
  __u32 have_nets4; /* 0: the range maps are empty and are not asked */
  __u32 have_nets6;
  __u32 layout;
  __u32 unused;
};

/* The one element, per CPU, of `totals`. */
struct drop_totals {
  __u64 dropped_packets;
  __u64 dropped_bytes;
  __u64 shadow_packets;
  __u64 shadow_bytes;
  __u64 open_packets; /* would have been dropped, but the deadline is past */
};
