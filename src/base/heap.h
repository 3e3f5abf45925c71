// How the allocator of this process treats memory that was freed.
#pragma once

namespace entente {

// Freed memory stays with the process, up to 64 MiB, and blocks below 32 MiB are taken from it. For a process that does
// the same large piece of work again and again: by default glibc gives the pages back after each and takes them anew,
// zeroed by the kernel, which costs a release decision about a third of its time. Call once, before threads start.
// Source: mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD. Does nothing where the C library is another one.
void keep_freed_memory();

}  // namespace entente
