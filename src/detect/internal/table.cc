#include "detect/internal/table.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include "base/bytes.h"
#include "detect/internal/hash.h"
#include "packet/address.h"

namespace entente::detect {
namespace {

using packet::Address;
using pattern::AtomKind;

constexpr size_t kHuge = 2u << 20;

// Zeroed memory; large pieces on huge pages, where half of the cost of a miss is saved (detection.md §2.3).
void* allocate(size_t bytes) {
  const size_t align = bytes >= 2 * kHuge ? kHuge : 64;
  const size_t rounded = (bytes + align - 1) / align * align;
  void* p = std::aligned_alloc(align, std::max(rounded, align));
  if (p == nullptr) throw std::bad_alloc();  // as operator new would: memory is not input
  if (align == kHuge) ::madvise(p, rounded, MADV_HUGEPAGE);
  std::memset(p, 0, rounded);
  return p;
}

uint16_t tag_of(uint64_t hash) { return static_cast<uint16_t>(hash >> 24); }

std::string_view text_of(const Address& a) { return {reinterpret_cast<const char*>(a.b.data()), a.size()}; }

// Address octets with host bits cleared, and the prefix length in the last octet.
std::string_view block_key(const Address& address, unsigned bits, char (&out)[17]) {
  const size_t n = address.size();
  std::memset(out, 0, sizeof out);
  std::memcpy(out, address.b.data(), bits / 8);
  if (bits % 8 != 0) out[bits / 8] = static_cast<char>(address.b[bits / 8] & (0xff00u >> (bits % 8)));
  out[n] = static_cast<char>(bits);
  return {out, n + 1};
}

template <class Octets>
Octets last_of(Octets first, unsigned bits) {
  for (unsigned i = bits; i < first.size() * 8; ++i)
    first[i / 8] = static_cast<uint8_t>(first[i / 8] | (0x80u >> (i % 8)));
  return first;
}

}  // namespace

void Table::Free::operator()(void* p) const { std::free(p); }

size_t Table::memory_bytes() const {
  return bloom_words_ * 8 + bucket_count_ * sizeof(Bucket) + arena_.capacity() * 4 +
         postings_.capacity() * sizeof(RowHit) + ranges4_.memory_bytes() + ranges6_.memory_bytes();
}

const Table::Key* Table::find(uint64_t hash, KeyClass cls, std::string_view octets) const {
  if (!maybe(hash)) return nullptr;
  const uint16_t tag = tag_of(hash);
  for (size_t b = fold_range(hash, bucket_count_);; b = b + 1 == bucket_count_ ? 0 : b + 1) {
    const Bucket& bucket = buckets_[b];
    for (uint32_t s = 0; s < bucket.used; ++s) {
      if (bucket.tag[s] != tag) continue;
      const auto* key = reinterpret_cast<const Key*>(arena_.data() + bucket.ref[s]);
      if (key->cls == cls && key->size == octets.size() && std::memcmp(key + 1, octets.data(), octets.size()) == 0)
        return key;
    }
    if (bucket.used < Bucket::kSlots) return nullptr;  // a full bucket overflows into the next
  }
}

void Table::take(const Key& key, Query::Accept accept, std::vector<RowHit>& out) const {
  const auto accepted = [accept](AtomKind kind) {
    switch (accept) {
      case Query::Accept::kAny:
        return true;
      case Query::Accept::kName:
        return kind != AtomKind::kDomainBelow;
      case Query::Accept::kBelow:
        return kind != AtomKind::kDomain;
    }
    return false;
  };
  if (key.kind != kMany) {
    if (accepted(key.kind)) out.push_back({key.row, key.kind});
    return;
  }
  const uint32_t count = postings_[key.row].row;
  for (uint32_t i = 1; i <= count; ++i)
    if (accepted(postings_[key.row + i].kind)) out.push_back(postings_[key.row + i]);
}

void Table::match(const Query& query, std::vector<RowHit>& out) const {
  if (keys_ == 0) return;
  for (const Query::Probe& p : query) {
    if (p.accept == Query::Accept::kBelow && !has_below_) continue;
    if (const Key* key = find(p.hash, p.cls, p.view())) take(*key, p.accept, out);
  }
  if (const Address* a = query.address4(); a != nullptr && lengths4_ != 0 && ranges4_.contains(a->v4_value()))
    match_cidr(*a, out);
  if (const Address* a = query.address6(); a != nullptr && !lengths6_.empty() && ranges6_.contains(a->b))
    match_cidr(*a, out);
}

bool Table::concerns(const Query& query) const {
  if (keys_ == 0) return false;
  const auto is_url_host = [&](std::string_view text) {
    return find(hash_url_host(text), KeyClass::kUrlHost, text) != nullptr;
  };
  for (const Query::Probe& p : query) {
    if (p.accept == Query::Accept::kBelow && !has_below_) continue;
    if (find(p.hash, p.cls, p.view()) != nullptr) return true;
    if (has_urls_ && p.accept == Query::Accept::kName && is_url_host(p.view())) return true;
  }
  for (const Address* a : {query.address4(), query.address6()}) {
    if (a == nullptr) continue;
    if (a->v6 ? !lengths6_.empty() && ranges6_.contains(a->b) : lengths4_ != 0 && ranges4_.contains(a->v4_value()))
      return true;
    if (!has_urls_) continue;
    char text[packet::kAddressTextMax];
    if (is_url_host({text, packet::write_text(*a, text)})) return true;
  }
  return false;
}

// Which blocks: one probe for each prefix length that occurs. Only for addresses that are in some block.
void Table::match_cidr(const Address& address, std::vector<RowHit>& out) const {
  char octets[17];
  const auto probe = [&](unsigned bits) {
    const auto cls = address.v6 ? KeyClass::kCidr6 : KeyClass::kCidr4;
    const std::string_view key_text = block_key(address, bits, octets);
    if (const Key* key = find(hash_key(cls, key_text), cls, key_text)) take(*key, Query::Accept::kAny, out);
  };
  if (address.v6) {
    for (const uint8_t bits : lengths6_) probe(bits);
  } else {
    for (unsigned bits = 33; bits-- > 0;)
      if ((lengths4_ >> bits & 1) != 0) probe(bits);
  }
}

void TableBuilder::add_key(uint32_t row, AtomKind kind, KeyClass cls, uint64_t hash, std::string_view octets) {
  const Table::Key key{.size = static_cast<uint16_t>(octets.size()), .cls = cls, .kind = kind, .row = row};
  const size_t at = arena_.size();
  arena_.resize(at + 2 + (octets.size() + 3) / 4);
  std::memcpy(arena_.data() + at, &key, sizeof key);
  std::memcpy(arena_.data() + at + 2, octets.data(), octets.size());
  pending_.push_back({hash, static_cast<uint32_t>(at)});
}

bool TableBuilder::add_block(uint32_t row, const pattern::Atom& atom) {
  const size_t slash = atom.value.find('/');
  const auto parsed = packet::parse_address(std::string_view(atom.value).substr(0, slash));
  if (!parsed) return false;
  Address address = *parsed;
  unsigned bits = address.v6 ? 128 : 32;
  const unsigned most = bits;
  if (slash != std::string::npos) {
    const char* end = atom.value.data() + atom.value.size();
    const auto [ptr, error] = std::from_chars(atom.value.data() + slash + 1, end, bits);
    if (error != std::errc{} || ptr != end || bits > most) return false;
  }
  // A mapped block is an IPv4 block (RFC 4291 §2.5.5.2).
  if (const auto mapped = address.mapped_v4(); mapped && bits >= 96) {
    address = *mapped;
    bits -= 96;
  }
  char octets[17];
  const std::string_view key = block_key(address, bits, octets);
  if (address.v6) {
    Range6 range{};
    std::memcpy(range.first.data(), octets, 16);
    range.last = last_of(range.first, bits);
    blocks6_.push_back(range);
    lengths6_[bits] = true;
    add_key(row, atom.kind, KeyClass::kCidr6, hash_key(KeyClass::kCidr6, key), key);
  } else {
    std::array<uint8_t, 4> first{};
    std::memcpy(first.data(), octets, 4);
    const auto last = last_of(first, bits);
    blocks4_.push_back(
        {Address::from_octets(first.data(), false).v4_value(), Address::from_octets(last.data(), false).v4_value()});
    lengths4_ |= uint64_t{1} << bits;
    add_key(row, atom.kind, KeyClass::kCidr4, hash_key(KeyClass::kCidr4, key), key);
  }
  return true;
}

// The host of a URL atom as a key without postings: it only tells a scanner of raw text to look closer (detection.md
// §2.6).
void TableBuilder::add_url_host(std::string_view url) {
  const std::string_view host = url_host(url);
  if (!host.empty() && host.size() <= 1000) add_key(0, AtomKind::kUrl, KeyClass::kUrlHost, hash_url_host(host), host);
}

bool TableBuilder::add(uint32_t row, const pattern::Atom& atom) {
  switch (atom.kind) {
    case AtomKind::kIpv4:
    case AtomKind::kIpv6: {
      const auto parsed = packet::parse_address(atom.value);
      if (!parsed) return false;
      const Address address = parsed->mapped_v4().value_or(*parsed);
      const auto cls = address.v6 ? KeyClass::kIpv6 : KeyClass::kIpv4;
      add_key(row, atom.kind, cls, hash_key(cls, text_of(address)), text_of(address));
      return true;
    }
    case AtomKind::kCidr4:
    case AtomKind::kCidr6:
      return add_block(row, atom);
    case AtomKind::kDomain:
    case AtomKind::kDomainTree:
    case AtomKind::kDomainBelow: {
      if (atom.value.empty() || atom.value.size() > 1000) return false;
      if (atom.kind != AtomKind::kDomain) has_below_ = true;
      if (atom.value.find('.') == std::string::npos) has_single_labels_ = true;
      const std::string lower = ascii_lower(atom.value);
      add_key(row, atom.kind, KeyClass::kDomain, hash_domain(lower), lower);
      return true;
    }
    case AtomKind::kUrl:
    case AtomKind::kEmail: {
      if (atom.value.empty() || atom.value.size() > UINT16_MAX) return false;
      const auto cls = atom.kind == AtomKind::kUrl ? KeyClass::kUrl : KeyClass::kEmail;
      add_key(row, atom.kind, cls, hash_key(cls, atom.value), atom.value);
      (atom.kind == AtomKind::kUrl ? has_urls_ : has_emails_) = true;
      if (atom.kind == AtomKind::kUrl && atom.value.find("://") != std::string::npos) add_url_host(atom.value);
      return true;
    }
    case AtomKind::kMd5:
    case AtomKind::kSha1:
    case AtomKind::kSha256:
    case AtomKind::kSha512: {
      char digest[64];
      const size_t size = digest_octets(atom.value, digest);
      if (size == 0) return false;
      add_key(row, atom.kind, KeyClass::kHash, hash_key(KeyClass::kHash, {digest, size}), {digest, size});
      return true;
    }
  }
  return false;
}

Table TableBuilder::build() && {
  Table t;
  arena_.shrink_to_fit();
  t.arena_ = std::move(arena_);
  t.has_below_ = has_below_;
  t.has_urls_ = has_urls_;
  t.has_emails_ = has_emails_;
  t.has_single_labels_ = has_single_labels_;
  t.lengths4_ = lengths4_;
  for (size_t bits = lengths6_.size(); bits-- > 0;)
    if (lengths6_[bits]) t.lengths6_.push_back(static_cast<uint8_t>(bits));
  t.ranges4_ = Ranges4(std::move(blocks4_));
  t.ranges6_ = Ranges6(std::move(blocks6_));

  t.bloom_words_ = pending_.size() * Table::kBloomBits / 64 + 1;
  t.bucket_count_ = pending_.size() * 5 / 4 / Table::Bucket::kSlots + 1;  // at most 80 % full
  t.bloom_.reset(static_cast<uint64_t*>(allocate(t.bloom_words_ * 8)));
  t.buckets_.reset(static_cast<Table::Bucket*>(allocate(t.bucket_count_ * sizeof(Table::Bucket))));

  struct More {
    uint32_t ref;
    RowHit posting;
  };
  std::vector<More> more;  // keys that several rows share
  for (const Pending& p : pending_) {
    const auto* key = reinterpret_cast<const Table::Key*>(t.arena_.data() + p.ref);
    const std::string_view octets(reinterpret_cast<const char*>(key + 1), key->size);
    if (const Table::Key* same = t.find(p.hash, key->cls, octets)) {
      if (key->cls == KeyClass::kUrlHost) continue;
      more.push_back(
          {static_cast<uint32_t>(reinterpret_cast<const uint32_t*>(same) - t.arena_.data()), {key->row, key->kind}});
      continue;
    }
    size_t b = Table::fold_range(p.hash, t.bucket_count_);
    while (t.buckets_[b].used == Table::Bucket::kSlots) b = b + 1 == t.bucket_count_ ? 0 : b + 1;
    Table::Bucket& bucket = t.buckets_[b];
    bucket.tag[bucket.used] = tag_of(p.hash);
    bucket.ref[bucket.used++] = p.ref;
    t.bloom_[Table::fold_range(p.hash, t.bloom_words_)] |= Table::bloom_bits(p.hash);
    ++t.keys_;
  }

  std::stable_sort(more.begin(), more.end(), [](const More& a, const More& b) { return a.ref < b.ref; });
  for (size_t i = 0; i < more.size();) {
    auto* key = reinterpret_cast<Table::Key*>(t.arena_.data() + more[i].ref);
    const auto place = static_cast<uint32_t>(t.postings_.size());
    t.postings_.push_back({0, key->kind});
    t.postings_.push_back({key->row, key->kind});
    for (const uint32_t ref = more[i].ref; i < more.size() && more[i].ref == ref; ++i)
      t.postings_.push_back(more[i].posting);
    t.postings_[place].row = static_cast<uint32_t>(t.postings_.size()) - place - 1;
    key->row = place;
    key->kind = Table::kMany;
  }
  return t;
}

}  // namespace entente::detect
