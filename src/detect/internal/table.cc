#include "detect/internal/table.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <span>
#include <thread>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"
#include "detect/internal/tokens.h"
#include "packet/address.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

using packet::Address;
using pattern::AtomKind;

uint16_t tag_of(uint64_t hash) { return static_cast<uint16_t>(hash >> 24); }

std::string_view text_of(const Address& a) { return {reinterpret_cast<const char*>(a.b.data()), a.size()}; }

KeyClass class_of(AtomKind kind) {
  switch (kind) {
    case AtomKind::kIpv4:
      return KeyClass::kIpv4;
    case AtomKind::kIpv6:
      return KeyClass::kIpv6;
    case AtomKind::kCidr4:
      return KeyClass::kCidr4;
    case AtomKind::kCidr6:
      return KeyClass::kCidr6;
    case AtomKind::kDomain:
    case AtomKind::kDomainTree:
    case AtomKind::kDomainBelow:
      return KeyClass::kDomain;
    case AtomKind::kUrl:
      return KeyClass::kUrl;
    case AtomKind::kMd5:
    case AtomKind::kSha1:
    case AtomKind::kSha256:
    case AtomKind::kSha512:
    case AtomKind::kJa3:  // is an MD5, and in text no other than one
      return KeyClass::kHash;
    case AtomKind::kJa4:
      return KeyClass::kJa4;
    case AtomKind::kEmail:
      return KeyClass::kEmail;
  }
  return KeyClass::kDomain;
}

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

// Calls fn(suffix) for every suffix of two labels and more, the shortest first.
template <class Fn>
void each_node(std::string_view name, const Fn& fn) {
  size_t dot = name.rfind('.');
  while (dot != std::string_view::npos && dot > 0) {
    dot = name.rfind('.', dot - 1);
    fn(name.substr(dot == std::string_view::npos ? 0 : dot + 1));
  }
}

bool counts(AtomKind kind, Query::Accept accept) {
  switch (accept) {
    case Query::Accept::kAny:
      return true;
    case Query::Accept::kName:
      return kind != AtomKind::kDomainBelow;
    case Query::Accept::kBelow:
      return kind != AtomKind::kDomain;
  }
  return false;
}

}  // namespace

size_t Table::memory_bytes() const {
  size_t n = bucket_count_ * sizeof(Bucket) + more_.capacity() * 8 + known16_.capacity() * 8;
  for (const Bloom* b : {&names_, &addresses4_, &digests_, &others_}) n += b->memory_bytes();
  return n + entries_.memory_bytes() + ranges4_.memory_bytes() + ranges6_.memory_bytes();
}

const Bloom& Table::filter(KeyClass cls) const {
  switch (cls) {
    case KeyClass::kDomain:
    case KeyClass::kUrlHost:
      return names_;
    case KeyClass::kIpv4:
      return addresses4_;
    case KeyClass::kHash:
      return digests_;
    case KeyClass::kIpv6:
    case KeyClass::kCidr4:
    case KeyClass::kCidr6:
    case KeyClass::kUrl:
    case KeyClass::kEmail:
    case KeyClass::kId:
    case KeyClass::kJa4:
      return others_;
  }
  return others_;
}

// Bit s: slot s is in use and has this tag.
uint32_t Table::Bucket::with_tag(uint16_t which) const {
  uint32_t same = 0;
#if defined(__SSE2__)
  static_assert(kSlots == 10 && offsetof(Bucket, tag) == 0);
  const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(which));
  const auto equal = [&](size_t octet) {
    const auto* at = reinterpret_cast<const __m128i*>(reinterpret_cast<const char*>(this) + octet);
    return _mm_cmpeq_epi16(_mm_load_si128(at), wanted);
  };
  same = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(equal(0), equal(16))));  // behind tag 9: other things
#else
  for (uint32_t s = 0; s < kSlots; ++s) same |= tag[s] == which ? 1U << s : 0U;
#endif
  return same & ((1U << used) - 1);
}

uint32_t Table::find(uint64_t hash, KeyClass cls, std::string_view octets) const {
  const uint16_t tag = tag_of(hash);
  for (size_t b = fold_range(hash, bucket_count_);; b = b + 1 == bucket_count_ ? 0 : b + 1) {
    const Bucket& bucket = buckets_[b];
    for (uint32_t same = bucket.with_tag(tag); same != 0; same &= same - 1) {
      const auto s = static_cast<unsigned>(std::countr_zero(same));
      const Entries::Entry e = entries_.at(bucket.ref[s]);
      if (cls == KeyClass::kUrlHost) {
        if (e.kind == AtomKind::kUrl && url_host(e.octets) == octets) return bucket.ref[s];
      } else if (e.octets == octets && (e.id ? KeyClass::kId : class_of(e.kind)) == cls) {
        return bucket.ref[s];
      }
    }
    if (bucket.used < Bucket::kSlots) return kNone;  // a full bucket overflows into the next
  }
}

template <class Fn>
void Table::each_posting(uint32_t ref, const Fn& fn) const {
  const Entries::Entry e = entries_.at(ref);
  fn(ref, e.kind);
  if (!e.shared) return;
  for (auto it = std::lower_bound(more_.begin(), more_.end(), std::pair{ref, uint32_t{0}});
       it != more_.end() && it->first == ref; ++it)
    fn(it->second, entries_.at(it->second).kind);
}

void Table::take(uint32_t ref, Query::Accept accept, std::vector<RowHit>& out) const {
  each_posting(ref, [&](uint32_t at, AtomKind kind) {
    if (counts(kind, accept)) out.push_back({entries_.row_of(at), kind});
  });
}

void Table::match(const Query& query, std::vector<RowHit>& out) const {
  if (keys_ == 0) return;
  for (const Query::Probe& p : query) {
    if (p.cls == KeyClass::kDomain) {
      if (p.single) {
        if (!shape_.single_labels) continue;
      } else if (!names_.maybe(p.hash)) {
        break;  // no key has this suffix: none has a longer one
      }
      if (p.accept == Query::Accept::kBelow && !has_below_) continue;
    } else if (!filter(p.cls).maybe(p.hash)) {
      continue;
    }
    if (const uint32_t ref = find(p.hash, p.cls, p.view()); ref != kNone) take(ref, p.accept, out);
  }
  if (const Address* a = query.address4(); a != nullptr && in_block4(a->v4_value())) match_cidr(*a, out);
  if (const Address* a = query.address6(); a != nullptr && !lengths6_.empty() && ranges6_.contains(a->b))
    match_cidr(*a, out);
}

// Which blocks: one probe for each prefix length that occurs. Only for addresses that are in some block.
void Table::match_cidr(const Address& address, std::vector<RowHit>& out) const {
  char octets[17];
  const auto probe = [&](unsigned bits) {
    const auto cls = address.v6 ? KeyClass::kCidr6 : KeyClass::kCidr4;
    const std::string_view key = block_key(address, bits, octets);
    const uint64_t hash = hash_key(cls, key);
    if (!others_.maybe(hash)) return;
    if (const uint32_t ref = find(hash, cls, key); ref != kNone) take(ref, Query::Accept::kAny, out);
  };
  if (address.v6) {
    for (const uint8_t bits : lengths6_) probe(bits);
  } else {
    for (unsigned bits = 33; bits-- > 0;)
      if ((lengths4_ >> bits & 1) != 0) probe(bits);
  }
}

std::optional<uint32_t> Table::row_of_id(std::string_view packed) const {
  const uint64_t hash = hash_key(KeyClass::kId, packed);
  if (keys_ == 0 || !others_.maybe(hash)) return std::nullopt;
  const uint32_t ref = find(hash, KeyClass::kId, packed);
  return ref == kNone ? std::nullopt : std::optional(entries_.row_of(ref));
}

bool Table::concerns_v4(uint32_t address) const {
  if (keys_ == 0 || !in_known16(address)) return false;
  if (in_block4(address)) return true;
  const Address a = Address::v4(address);
  const std::string_view octets = text_of(a);
  const uint64_t hash = hash_key(KeyClass::kIpv4, octets);
  if (!addresses4_.maybe(hash)) return false;
  if (find(hash, KeyClass::kIpv4, octets) != kNone) return true;
  char text[packet::kAddressTextMax];
  return is_url_host(hash, {text, packet::write_text(a, text)});
}

bool Table::concerns_v6(const Address& address) const {
  if (keys_ == 0) return false;
  if (const auto mapped = address.mapped_v4(); mapped && concerns_v4(mapped->v4_value())) return true;
  if (!lengths6_.empty() && ranges6_.contains(address.b)) return true;
  const uint64_t hash = hash_key(KeyClass::kIpv6, text_of(address));
  if (!others_.maybe(hash)) return false;
  if (find(hash, KeyClass::kIpv6, text_of(address)) != kNone) return true;
  char text[packet::kAddressTextMax];
  return is_url_host(hash, {text, packet::write_text(address, text)});
}

bool Table::concerns_name(std::string_view name, bool wildcard) const {
  if (keys_ == 0 || name.empty() || name.size() > 253) return false;
  char lower[256];
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    lower[i] = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  }
  const uint64_t seed = class_seed(KeyClass::kDomain);
  const char* end = name.data() + name.size();
  // True if the walk shall end here, then `found` is the answer.
  bool found = false;
  const auto at = [&](size_t from, bool single) {
    const std::string_view suffix(lower + from, name.size() - from);
    const uint64_t hash = hash_tail(end, suffix.size(), seed);
    if (single ? !shape_.single_labels : !names_.maybe(hash)) return !single;
    const bool whole = from == 0;
    if (!whole && !has_below_) return false;
    if (const uint32_t ref = find(hash, KeyClass::kDomain, suffix); ref != kNone) {
      const auto accept = whole && !wildcard ? Query::Accept::kName : Query::Accept::kBelow;
      each_posting(ref, [&](uint32_t, AtomKind kind) { found = found || counts(kind, accept); });
    }
    found = found || (whole && is_url_host(hash, suffix));
    return found;
  };
  size_t dot = name.rfind('.');
  if (at(dot == std::string_view::npos ? 0 : dot + 1, true)) return found;
  while (dot != std::string_view::npos && dot > 0) {
    dot = name.rfind('.', dot - 1);
    if (at(dot == std::string_view::npos ? 0 : dot + 1, false)) return found;
  }
  return found;
}

bool Table::concerns_digest(std::string_view hex) const {
  char digest[64];
  if (keys_ == 0) return false;
  const size_t size = digest_octets(hex, digest);
  if (size == 0) return false;
  const uint64_t hash = hash_name(KeyClass::kHash, hex);
  return digests_.maybe(hash) && find(hash, KeyClass::kHash, {digest, size}) != kNone;
}

bool Table::concerns_email(std::string_view text) const {
  if (keys_ == 0 || text.size() > 1000) return false;
  const auto normal = pattern::normal_email(text);
  if (!normal) return false;
  const uint64_t hash = hash_key(KeyClass::kEmail, *normal);
  return others_.maybe(hash) && find(hash, KeyClass::kEmail, *normal) != kNone;
}

bool Table::concerns_ja4(std::string_view text) const {
  if (!shape_.ja4 || !pattern::is_ja4(text)) return false;
  const std::string lower = ascii_lower(text);
  const uint64_t hash = hash_name(KeyClass::kJa4, lower);
  return others_.maybe(hash) && find(hash, KeyClass::kJa4, lower) != kNone;
}

void TableBuilder::add_key(AtomKind kind, KeyClass cls, uint64_t hash, std::string_view octets) {
  pending_.push_back({hash, entries_.add(kind, octets), cls});
}

bool TableBuilder::add_block(std::string_view text) {
  const size_t slash = text.find('/');
  const auto parsed = packet::parse_address(text.substr(0, slash));
  if (!parsed) return false;
  Address address = *parsed;
  unsigned bits = address.v6 ? 128 : 32;
  const unsigned most = bits;
  if (slash != std::string_view::npos) {
    const char* end = text.data() + text.size();
    const auto [ptr, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc{} || ptr != end || bits > most) return false;
  }
  // A mapped block is an IPv4 block (RFC 4291 §2.5.5.2).
  if (const auto mapped = address.mapped_v4(); mapped && bits >= 96) {
    address = *mapped;
    bits -= 96;
  }
  add_block(address, bits);
  return true;
}

void TableBuilder::add_block(const Address& address, unsigned bits) {
  char octets[17];
  const std::string_view key = block_key(address, bits, octets);
  if (address.v6) {
    Range6 range{};
    std::memcpy(range.first.data(), octets, 16);
    range.last = last_of(range.first, bits);
    blocks6_.push_back(range);
    lengths6_[bits] = true;
    add_key(AtomKind::kCidr6, KeyClass::kCidr6, hash_key(KeyClass::kCidr6, key), key);
  } else {
    std::array<uint8_t, 4> first{};
    std::memcpy(first.data(), octets, 4);
    const auto last = last_of(first, bits);
    blocks4_.push_back(
        {Address::from_octets(first.data(), false).v4_value(), Address::from_octets(last.data(), false).v4_value()});
    lengths4_ |= uint64_t{1} << bits;
    add_key(AtomKind::kCidr4, KeyClass::kCidr4, hash_key(KeyClass::kCidr4, key), key);
  }
}

// The host of a URL is a second key of its entry, by which a scanner of raw text knows to look closer (detection.md
// §2.6).
void TableBuilder::add_url_host(uint32_t ref) {
  const std::string_view host = url_host(entries_.at(ref).octets);
  if (host.empty() || host.size() > 253) return;
  uint64_t hash = 0;
  if (const auto a = packet::parse_address(host)) {
    hash = hash_key(a->v6 ? KeyClass::kIpv6 : KeyClass::kIpv4, text_of(*a));
  } else {
    hash = hash_name(KeyClass::kDomain, host);
    if (host.find('.') == std::string_view::npos) {
      shape_.single_labels = true;
    } else if (word::judge(host, false) != ObservableKind::kDomain) {
      shape_.odd_names = true;
    }
  }
  pending_.push_back({hash, ref, KeyClass::kUrlHost});
}

void TableBuilder::add_text(AtomKind kind, std::string_view text) {
  const KeyClass cls = class_of(kind);
  if (cls == KeyClass::kDomain) {
    if (kind != AtomKind::kDomain) has_below_ = true;
    if (text.find('.') == std::string_view::npos) shape_.single_labels = true;
    return add_key(kind, cls, hash_name(cls, text), text);
  }
  add_key(kind, cls, hash_key(cls, text), text);
  (kind == AtomKind::kUrl ? shape_.urls : shape_.emails) = true;
  if (kind == AtomKind::kUrl && text.find("://") != std::string_view::npos) add_url_host(pending_.back().ref);
}

void TableBuilder::add_digest(AtomKind kind, std::string_view text, std::string_view octets) {
  if (kind == AtomKind::kJa3) shape_.ja3 = true;
  add_key(kind, KeyClass::kHash, hash_name(KeyClass::kHash, text), octets);
}

void TableBuilder::add_ja4(std::string_view text) {
  shape_.ja4 = true;
  add_key(AtomKind::kJa4, KeyClass::kJa4, hash_name(KeyClass::kJa4, text), text);
}

void TableBuilder::add_id(std::string_view packed) {
  pending_.push_back({hash_key(KeyClass::kId, packed), entries_.add_id(packed), KeyClass::kId});
}

void TableBuilder::add(const Entries::Entry& e) {
  if (e.empty) return;
  if (e.id) return add_id(e.octets);
  const KeyClass cls = class_of(e.kind);
  switch (cls) {
    case KeyClass::kIpv4:
    case KeyClass::kIpv6:
      return add_key(e.kind, cls, hash_key(cls, e.octets), e.octets);
    case KeyClass::kCidr4:
    case KeyClass::kCidr6:
      return add_block(Address::from_octets(e.octets.data(), cls == KeyClass::kCidr6),
                       static_cast<unsigned char>(e.octets.back()));
    case KeyClass::kHash:
      return add_digest(e.kind, hex(e.octets), e.octets);
    case KeyClass::kJa4:
      return add_ja4(e.octets);
    case KeyClass::kDomain:
    case KeyClass::kUrl:
    case KeyClass::kEmail:
    case KeyClass::kUrlHost:
    case KeyClass::kId:
      return add_text(e.kind, e.octets);
  }
}

bool TableBuilder::add(AtomKind kind, std::string_view value) {
  switch (kind) {
    case AtomKind::kIpv4:
    case AtomKind::kIpv6: {
      const auto parsed = packet::parse_address(value);
      if (!parsed) return false;
      const Address address = parsed->mapped_v4().value_or(*parsed);
      const auto cls = address.v6 ? KeyClass::kIpv6 : KeyClass::kIpv4;
      add_key(address.v6 ? AtomKind::kIpv6 : AtomKind::kIpv4, cls, hash_key(cls, text_of(address)), text_of(address));
      return true;
    }
    case AtomKind::kCidr4:
    case AtomKind::kCidr6:
      return add_block(value);
    case AtomKind::kDomain:
    case AtomKind::kDomainTree:
    case AtomKind::kDomainBelow:
      if (value.empty() || value.size() > 253) return false;
      if (std::any_of(value.begin(), value.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
        add_text(kind, ascii_lower(value));
      } else {
        add_text(kind, value);
      }
      return true;
    case AtomKind::kUrl:
    case AtomKind::kEmail:
      if (value.empty() || value.size() > Entries::kMaxText) return false;
      add_text(kind, value);
      return true;
    case AtomKind::kMd5:
    case AtomKind::kSha1:
    case AtomKind::kSha256:
    case AtomKind::kSha512:
    case AtomKind::kJa3: {
      char digest[64];
      const size_t size = digest_octets(value, digest);
      constexpr size_t kSizes[] = {16, 20, 32, 64};
      const auto which = kind == AtomKind::kJa3 ? AtomKind::kMd5 : kind;
      if (size != kSizes[static_cast<size_t>(which) - static_cast<size_t>(AtomKind::kMd5)]) return false;
      add_digest(kind, value, {digest, size});
      return true;
    }
    case AtomKind::kJa4:
      if (!pattern::is_ja4(value)) return false;
      add_ja4(ascii_lower(value));
      return true;
  }
  return false;
}

Table TableBuilder::build() && {
  Table t;
  entries_.end_rows();
  entries_.shrink();
  t.entries_ = std::move(entries_);
  t.shape_ = shape_;
  t.has_below_ = has_below_;
  t.lengths4_ = lengths4_;
  for (size_t bits = lengths6_.size(); bits-- > 0;)
    if (lengths6_[bits]) t.lengths6_.push_back(static_cast<uint8_t>(bits));
  for (const Range4& r : blocks4_)
    for (uint32_t i = r.first >> 16; i <= r.last >> 16; ++i) t.known16_[i >> 6] |= uint64_t{1} << (i & 63);
  t.ranges4_ = Ranges4(std::move(blocks4_));
  t.ranges6_ = Ranges6(std::move(blocks6_));

  size_t names = 0, addresses4 = 0, digests = 0, others = 0;
  for (const Pending& p : pending_) {
    const Bloom* f = &t.filter(p.cls);
    (f == &t.names_ ? names : f == &t.addresses4_ ? addresses4 : f == &t.digests_ ? digests : others) += 1;
  }
  // Hosts may be addresses (their filters); names share suffixes, of which there are seldom more than half as many.
  t.names_ = Bloom(names + names / 2);
  t.addresses4_ = Bloom(addresses4 + names / 8);
  t.digests_ = Bloom(digests);
  t.others_ = Bloom(others);
  // At most 97 % full: what is not there is mostly told by the filters, so that long walks are rare.
  t.bucket_count_ = pending_.size() * 32 / 31 / Table::Bucket::kSlots + 1;
  t.buckets_ = make_zeroed<Table::Bucket>(t.bucket_count_);

  const auto know = [&](uint32_t a) { t.known16_[a >> 22] |= uint64_t{1} << (a >> 16 & 63); };
  const auto enter_filter = [&](const Pending& p, std::string_view key) {
    if (p.cls == KeyClass::kUrlHost) {
      if (const auto a = packet::parse_address(key)) {
        (a->v6 ? t.others_ : t.addresses4_).add(p.hash);
        if (!a->v6) know(a->v4_value());
        return;
      }
    }
    if (p.cls == KeyClass::kIpv4) know(Address::from_octets(key.data(), false).v4_value());
    if (p.cls != KeyClass::kDomain && p.cls != KeyClass::kUrlHost)
      return const_cast<Bloom&>(t.filter(p.cls)).add(p.hash);
    each_node(key, [&](std::string_view node) { t.names_.add(hash_name(KeyClass::kDomain, node)); });
  };
  const auto key_of = [&](const Pending& p) {
    const Entries::Entry e = t.entries_.at(p.ref);
    return p.cls == KeyClass::kUrlHost ? url_host(e.octets) : e.octets;
  };
  constexpr size_t kAhead = 16;  // a cache miss each for bucket and filter
  const auto fill_filters = [&] {
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (i + kAhead < pending_.size()) t.filter(pending_[i + kAhead].cls).prefetch(pending_[i + kAhead].hash);
      enter_filter(pending_[i], key_of(pending_[i]));
    }
  };
  const auto fill_buckets = [&] {
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (i + kAhead < pending_.size())
        __builtin_prefetch(&t.buckets_[fold_range(pending_[i + kAhead].hash, t.bucket_count_)], 1);
      const Pending& p = pending_[i];
      if (const uint32_t same = t.find(p.hash, p.cls, key_of(p)); same != Table::kNone) {
        if (p.cls != KeyClass::kUrlHost) t.more_.emplace_back(same, p.ref);
        continue;
      }
      size_t b = fold_range(p.hash, t.bucket_count_);
      while (t.buckets_[b].used == Table::Bucket::kSlots) b = b + 1 == t.bucket_count_ ? 0 : b + 1;
      Table::Bucket& bucket = t.buckets_[b];
      bucket.tag[bucket.used] = tag_of(p.hash);
      bucket.ref[bucket.used++] = p.ref;
      ++t.keys_;
    }
  };
  // They touch different memory: a large table is built by two threads.
  constexpr size_t kLarge = 500'000;
  if (pending_.size() > kLarge) {
    const std::jthread other(fill_filters);
    fill_buckets();
  } else {
    fill_filters();
    fill_buckets();
  }
  for (const auto& [first, other] : t.more_) t.entries_.set_shared(first);
  std::sort(t.more_.begin(), t.more_.end());
  t.more_.shrink_to_fit();
  return t;
}

}  // namespace entente::detect
