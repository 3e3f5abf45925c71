#include "detect/internal/history_segment.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "detect/internal/bloom.h"
#include "detect/internal/hash.h"
#include "detect/internal/query.h"
#include "packet/address.h"
#include "pattern/normal.h"

namespace entente::detect {
namespace {

using pattern::AtomKind;

constexpr std::string_view kMagic = "enthist2";
constexpr std::string_view kOldMagic = "enthist1";  // without prefixes in the filter
constexpr size_t kBlock = 16 << 10;                 // octets before packing
constexpr size_t kFooter = 80;
constexpr size_t kMaxPlain = 1 << 20;
constexpr int kLevel = 3;

void put64(std::string& out, uint64_t v) {
  for (int i = 0; i < 8; ++i) out += static_cast<char>(v >> (8 * i));
}
uint64_t get64(std::string_view b, size_t at) { return load64(b.data() + at); }

void varint(std::string& out, uint64_t v) {
  for (; v >= 128; v >>= 7U) out += static_cast<char>(v | 128U);
  out += static_cast<char>(v);
}

// Reads what varint and text wrote; anything that does not fit makes it fail for good.
class Reader {
 public:
  explicit Reader(std::string_view b) : b_(b) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return b_.empty() || !ok_; }
  uint64_t number() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (b_.empty()) break;
      const auto c = static_cast<unsigned char>(b_.front());
      b_.remove_prefix(1);
      v |= static_cast<uint64_t>(c & 127U) << shift;
      if (c < 128) return v;
    }
    ok_ = false;
    return 0;
  }
  std::string_view text(uint64_t size) {
    if (size > b_.size()) {
      ok_ = false;
      return {};
    }
    const auto out = b_.substr(0, size);
    b_.remove_prefix(size);
    return out;
  }

 private:
  std::string_view b_;
  bool ok_ = true;
};

uint64_t zigzag(int64_t v) { return static_cast<uint64_t>(v) << 1U ^ static_cast<uint64_t>(v >> 63); }
int64_t unzigzag(uint64_t v) { return static_cast<int64_t>(v >> 1U) ^ -static_cast<int64_t>(v & 1U); }

std::string address_key(const packet::Address& a) {
  std::string out(1, a.v6 ? 'A' : 'a');
  if (a.v6) {
    out.append(reinterpret_cast<const char*>(a.b.data()), 16);
  } else {
    const uint32_t v = a.v4_value();
    for (int i = 3; i >= 0; --i) out += static_cast<char>(v >> (8 * i));
  }
  return out;
}

// "www.evil.example" -> "dexample.evil.www.": a name and all below it have one prefix.
std::string name_key(std::string_view name) {
  std::string out = "d";
  while (!name.empty()) {
    const size_t dot = name.rfind('.');
    out.append(dot == std::string_view::npos ? name : name.substr(dot + 1)) += '.';
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  }
  return out;
}

// The next key that does not begin with `prefix`.
std::string after(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 255) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

// The prefixes that together hold the block; none if that would be too many.
std::vector<std::string> prefixes_of_block(std::string_view first, unsigned bits) {
  constexpr unsigned kMostBits = 8;  // 256 prefixes
  const bool six = first.front() == 'A';
  for (const unsigned size : six ? std::vector<unsigned>{64, 48, 32} : std::vector<unsigned>{24}) {
    std::string prefix(first.substr(0, 1 + size / 8));
    if (bits >= size) return {prefix};
    if (size - bits > kMostBits) continue;
    std::vector<std::string> out;
    // Its last octet counts up from where the block begins.
    for (unsigned i = 0; i < 1U << (size - bits); ++i) {
      out.push_back(prefix);
      out.back().back() = static_cast<char>((static_cast<unsigned char>(prefix.back()) & (0xffU << (size - bits))) + i);
    }
    return out;
  }
  return {};
}

HistoryRange block_range(std::string_view cidr) {
  const size_t slash = cidr.find('/');
  const auto address = packet::parse_address(cidr.substr(0, slash));
  if (!address || slash == std::string_view::npos) return {};
  unsigned bits = 0;
  for (const char c : cidr.substr(slash + 1)) bits = bits * 10 + static_cast<unsigned>(c - '0');
  HistoryRange out{address_key(*address), {}};
  // The last address of the block, and one more.
  std::string last = out.from;
  for (size_t i = bits; i < (last.size() - 1) * 8; ++i)
    last[1 + i / 8] = static_cast<char>(static_cast<unsigned char>(last[1 + i / 8]) | 128U >> (i % 8));
  out.to = last + '\0';
  out.prefixes = prefixes_of_block(out.from, bits);
  return out;
}

// As Bloom has it, over words as they stand in a file.
uint32_t bit(uint32_t h, size_t i) { return uint32_t{1} << (h * Bloom::kSalt[i] >> 27); }

uint64_t hash_of(uint64_t seed, std::string_view key) { return hash_bytes(seed, key); }
// A prefix is another thing in the filter than a value of the same octets.
uint64_t hash_of_prefix(uint64_t seed, std::string_view prefix) { return hash_bytes(seed + 1, prefix); }

// The beginnings of a key by which ranges are asked for, the shortest first: a name with each name above it that has
// two labels or more; an IPv4 address's /24; an IPv6 address's /32, /48 and /64.
template <class Fn>
void each_prefix(std::string_view key, const Fn& fn) {
  switch (key.front()) {
    case 'd':
      for (size_t dot = key.find('.'); dot != std::string_view::npos && dot + 1 < key.size();) {
        dot = key.find('.', dot + 1);
        if (dot != std::string_view::npos) fn(key.substr(0, dot + 1));
      }
      return;
    case 'a':
      return fn(key.substr(0, 4));
    case 'A':
      for (const size_t octets : {4U, 6U, 8U}) fn(key.substr(0, 1 + octets));
      return;
    default:
      return;
  }
}

}  // namespace

std::string history_key(ObservableKind kind, std::string_view text) {
  switch (kind) {
    case ObservableKind::kIpv4:
    case ObservableKind::kIpv6: {
      const auto normal = pattern::normal_address(text);
      if (!normal || (normal->kind != AtomKind::kIpv4 && normal->kind != AtomKind::kIpv6)) return {};
      const auto a = packet::parse_address(normal->value);
      return a ? address_key(*a) : std::string();
    }
    case ObservableKind::kDomain: {
      const auto name = pattern::normal_domain(text);
      return name ? name_key(*name) : std::string();
    }
    case ObservableKind::kUrl: {
      const auto url = pattern::normal_url(text);
      return url ? "u" + *url : std::string();
    }
    case ObservableKind::kHash: {
      const auto octets = unhex(ascii_lower(text));
      return octets.ok() && !octets->empty() ? "h" + *octets : std::string();
    }
    case ObservableKind::kJa3: {
      const auto ja3 = pattern::normal_ja3(text);
      return ja3 ? "J" + unhex(*ja3).value() : std::string();
    }
    case ObservableKind::kJa4: {
      const auto ja4 = pattern::normal_ja4(text);
      return ja4 ? "j" + *ja4 : std::string();
    }
    case ObservableKind::kEmail: {
      const auto mail = pattern::normal_email(text);
      return mail ? "e" + *mail : std::string();
    }
  }
  return {};
}

std::vector<HistoryRange> history_ranges(const pattern::Atom& atom) {
  const auto one = [](ObservableKind kind, std::string_view text) {
    return std::vector<HistoryRange>{{history_key(kind, text), {}}};
  };
  switch (atom.kind) {
    case AtomKind::kIpv4:
    case AtomKind::kIpv6:
      return one(ObservableKind::kIpv4, atom.value);
    case AtomKind::kCidr4:
    case AtomKind::kCidr6:
      return {block_range(atom.value)};
    case AtomKind::kDomain:
      return one(ObservableKind::kDomain, atom.value);
    case AtomKind::kDomainTree:
    case AtomKind::kDomainBelow: {
      const std::string key = name_key(atom.value);
      const std::string from = atom.kind == AtomKind::kDomainTree ? key : key + '\0';
      HistoryRange range{from, after(key)};
      if (atom.value.find('.') != std::string::npos) range.prefixes = {key};
      return {range};
    }
    case AtomKind::kUrl:
      return one(ObservableKind::kUrl, atom.value);
    case AtomKind::kEmail:
      return one(ObservableKind::kEmail, atom.value);
    case AtomKind::kJa4:
      return one(ObservableKind::kJa4, atom.value);
    case AtomKind::kJa3:  // of packets; of logs, where it is a digest like others
      return {{history_key(ObservableKind::kJa3, atom.value), {}},
              {history_key(ObservableKind::kHash, atom.value), {}}};
    default:
      return one(ObservableKind::kHash, atom.value);
  }
}

ObservableKind kind_of_key(std::string_view key) {
  switch (key.front()) {
    case 'a':
      return ObservableKind::kIpv4;
    case 'A':
      return ObservableKind::kIpv6;
    case 'd':
      return ObservableKind::kDomain;
    case 'u':
      return ObservableKind::kUrl;
    case 'h':
      return ObservableKind::kHash;
    case 'J':
      return ObservableKind::kJa3;
    case 'j':
      return ObservableKind::kJa4;
    default:
      return ObservableKind::kEmail;
  }
}

std::string text_of_key(std::string_view key) {
  const std::string_view rest = key.substr(1);
  switch (key.front()) {
    case 'a':
    case 'A': {
      packet::Address a;
      a.v6 = key.front() == 'A';
      if (rest.size() != (a.v6 ? 16U : 4U)) return {};
      std::memcpy(a.b.data(), rest.data(), rest.size());
      return packet::to_text(a);
    }
    case 'd': {
      std::string out;
      std::string_view labels = rest;
      while (!labels.empty()) {
        const size_t dot = std::min(labels.find('.'), labels.size() - 1);
        out = std::string(labels.substr(0, dot)) + (out.empty() ? "" : ".") + out;
        labels.remove_prefix(dot + 1);
      }
      return out;
    }
    case 'h':
      return hex(rest);
    default:
      return std::string(rest);
  }
}

void HistoryEntry::add(Time time, std::string_view src, std::string_view dst) {
  first = count == 0 ? time.us : std::min(first, time.us);
  last = count == 0 ? time.us : std::max(last, time.us);
  ++count;
  if (sights.size() < kMaxSights)
    sights.push_back({time, std::string(src.substr(0, 64)), std::string(dst.substr(0, 64))});
}

std::string write_segment(const std::vector<std::pair<std::string_view, const HistoryEntry*>>& sorted) {
  std::string out(kMagic);
  std::string index, plain, packed, last_key, first_key;
  uint64_t blocks = 0, seen = 0;
  int64_t from = INT64_MAX, to = INT64_MIN;
  const auto close = [&] {
    if (plain.empty()) return;
    packed.resize(ZSTD_compressBound(plain.size()));
    const size_t n = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), kLevel);
    varint(index, first_key.size());
    index += first_key;
    varint(index, out.size());
    varint(index, n);
    varint(index, plain.size());
    put64(index, hash_bytes(0, {packed.data(), n}));
    out.append(packed.data(), n);
    ++blocks;
    plain.clear();
    last_key.clear();
  };
  for (const auto& [key, e] : sorted) {
    if (plain.empty()) first_key = key;
    size_t shared = 0;
    while (shared < key.size() && shared < last_key.size() && key[shared] == last_key[shared]) ++shared;
    varint(plain, shared);
    varint(plain, key.size() - shared);
    plain += key.substr(shared);
    last_key = key;
    varint(plain, e->count);
    varint(plain, zigzag(e->first));
    varint(plain, static_cast<uint64_t>(e->last - e->first));
    varint(plain, e->sights.size());
    for (const auto& s : e->sights) {
      varint(plain, zigzag(s.time.us - e->first));
      varint(plain, s.src.size());
      plain += s.src;
      varint(plain, s.dst.size());
      plain += s.dst;
    }
    seen += e->count;
    from = std::min(from, e->first);
    to = std::max(to, e->last);
    if (plain.size() >= kBlock) close();
  }
  close();
  out.resize((out.size() + 31) & ~size_t{31});
  const uint64_t bloom_at = out.size();
  const uint64_t seed = load64(random_bytes(8).data());
  std::vector<uint64_t> hashes;
  hashes.reserve(sorted.size() * 2);
  std::string_view before;  // keys with the same prefix are neighbours
  for (const auto& [key, e] : sorted) {
    hashes.push_back(hash_of(seed, key));
    each_prefix(key, [&](std::string_view prefix) {
      if (!before.starts_with(prefix)) hashes.push_back(hash_of_prefix(seed, prefix));
    });
    before = key;
  }
  const uint64_t bloom_count = hashes.size() * Bloom::kBitsPerKey / 256 + 1;
  std::vector<uint32_t> words(bloom_count * 8);
  for (const uint64_t h : hashes)
    for (size_t i = 0; i < 8; ++i) words[fold_range(h, bloom_count) * 8 + i] |= bit(static_cast<uint32_t>(h), i);
  out.append(reinterpret_cast<const char*>(words.data()), words.size() * 4);
  const uint64_t index_at = out.size();
  out += index;
  std::string footer;
  for (const uint64_t v :
       {index_at, static_cast<uint64_t>(index.size()), bloom_at, bloom_count, seed, static_cast<uint64_t>(from),
        static_cast<uint64_t>(to), static_cast<uint64_t>(sorted.size()), seen})
    put64(footer, v);
  put64(footer, hash_bytes(hash_bytes(blocks, index), footer));
  return out + footer;
}

Result<std::shared_ptr<const HistorySegment>> HistorySegment::open(const std::string& path, Files& files, bool map) {
  std::shared_ptr<HistorySegment> out(new HistorySegment());
  if (map) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat s{};
    if (fd < 0 || ::fstat(fd, &s) != 0 || s.st_size == 0) {
      if (fd >= 0) ::close(fd);
      return make_error(ErrorKind::kIo, "cannot open", path, "check the disk and the permissions");
    }
    const auto size = static_cast<size_t>(s.st_size);
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at == MAP_FAILED) return make_error(ErrorKind::kIo, "cannot map", path, "");
    out->mapped_ = at;
    out->bytes_ = {static_cast<const char*>(at), size};
  } else {
    TRY(out->owned_, files.read(path));
    out->bytes_ = out->owned_;
  }
  CHECK_OK(out->read(path));
  return std::shared_ptr<const HistorySegment>(std::move(out));
}

HistorySegment::~HistorySegment() {
  if (mapped_ != nullptr) ::munmap(mapped_, bytes_.size());
}

Status HistorySegment::read(const std::string& path) {
  const Error damaged = invalid("the segment is damaged", path, "what it held is lost; remove it");
  prefixes_ = bytes_.starts_with(kMagic);
  if (bytes_.size() < kMagic.size() + kFooter || (!prefixes_ && !bytes_.starts_with(kOldMagic))) return damaged;
  const size_t foot = bytes_.size() - kFooter;
  const uint64_t index_at = get64(bytes_, foot), index_size = get64(bytes_, foot + 8);
  bloom_at_ = get64(bytes_, foot + 16);
  bloom_count_ = get64(bytes_, foot + 24);
  seed_ = get64(bytes_, foot + 32);
  from_ = Time{static_cast<int64_t>(get64(bytes_, foot + 40))};
  to_ = Time{static_cast<int64_t>(get64(bytes_, foot + 48))};
  values_ = get64(bytes_, foot + 56);
  seen_ = get64(bytes_, foot + 64);
  if (index_at > foot || index_size != foot - index_at || bloom_at_ % 32 != 0 || bloom_at_ > index_at ||
      bloom_count_ == 0 || bloom_count_ != (index_at - bloom_at_) / 32 || (index_at - bloom_at_) % 32 != 0)
    return damaged;
  const std::string_view index = bytes_.substr(index_at, index_size);
  for (Reader r(index); !r.empty();) {
    Block b;
    b.first = r.text(r.number());
    b.at = r.number();
    b.size = static_cast<uint32_t>(r.number());
    b.plain = static_cast<uint32_t>(r.number());
    const auto check = r.text(8);
    if (!r.ok() || b.first.empty() || b.at + b.size > bloom_at_ || b.plain > kMaxPlain) return damaged;
    static_cast<void>(check);
    blocks_.push_back(b);
  }
  const uint64_t check = hash_bytes(hash_bytes(blocks_.size(), index), bytes_.substr(foot, kFooter - 8));
  if (check != get64(bytes_, bytes_.size() - 8)) return damaged;
  return {};
}

bool HistorySegment::block(size_t i, const HistoryRange& range, const Fn& fn) const {
  const Block& b = blocks_[i];
  // Questions come in the order of their keys: the next is often about the same block.
  thread_local std::string plain;
  thread_local const char* unpacked = nullptr;
  const std::string_view packed = bytes_.substr(b.at, b.size);
  // The block's own check stands at the end of its line of the index.
  const char* const check = b.first.data() + b.first.size();
  size_t skip = 0;
  for (const uint64_t v : {b.at, uint64_t{b.size}, uint64_t{b.plain}}) {
    std::string n;
    varint(n, v);
    skip += n.size();
  }
  thread_local uint64_t unpacked_check = 0;
  const uint64_t wanted = load64(check + skip);
  if (unpacked != packed.data() || unpacked_check != wanted || plain.size() != b.plain) {
    unpacked = nullptr;
    plain.resize(b.plain);
    if (wanted != hash_bytes(0, packed)) return false;
    if (ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size()) != b.plain) return false;
    unpacked = packed.data();
    unpacked_check = wanted;
  }
  std::string key;
  HistoryEntry e;
  for (Reader r(plain); !r.empty();) {
    const uint64_t shared = r.number();
    if (shared > key.size()) return false;
    key.resize(shared);
    key += r.text(r.number());
    e.count = r.number();
    e.first = unzigzag(r.number());
    e.last = e.first + static_cast<int64_t>(r.number());
    const bool mine = key >= range.from && (range.to.empty() ? key == range.from : key < range.to);
    e.sights.clear();
    for (uint64_t n = r.number(); n > 0 && r.ok(); --n) {
      PastSight s;
      s.time = Time{e.first + unzigzag(r.number())};
      const auto src = r.text(r.number()), dst = r.text(r.number());
      if (!mine) continue;
      s.src = src;
      s.dst = dst;
      e.sights.push_back(std::move(s));
    }
    if (!r.ok()) return false;
    if (mine) fn(key, e);
    if (key > range.from && (range.to.empty() || key >= range.to)) return true;
  }
  return true;
}

const char* HistorySegment::words_of(uint64_t hash) const {
  return bytes_.data() + bloom_at_ + fold_range(hash, bloom_count_) * 32;
}

bool HistorySegment::maybe(uint64_t hash) const {
  const char* const words = words_of(hash);
  uint32_t missing = 0;
  for (size_t i = 0; i < 8; ++i) {
    uint32_t word = 0;
    std::memcpy(&word, words + i * 4, 4);
    missing |= ~word & bit(static_cast<uint32_t>(hash), i);
  }
  return missing == 0;
}

bool HistorySegment::may_hold(const HistoryRange& range) const {
  if (range.to.empty()) return maybe(hash_of(seed_, range.from));
  if (!prefixes_ || range.prefixes.empty()) return true;
  return std::any_of(range.prefixes.begin(), range.prefixes.end(),
                     [&](const std::string& p) { return maybe(hash_of_prefix(seed_, p)); });
}

void HistorySegment::find_all(
    std::span<const HistoryRange> ranges,
    const std::function<void(size_t number, std::string_view key, const HistoryEntry& entry)>& fn) const {
  constexpr size_t kAhead = 16;
  const auto ask = [&](size_t i) {
    const HistoryRange& r = ranges[i];
    if (r.to.empty()) {
      __builtin_prefetch(words_of(hash_of(seed_, r.from)));
    } else if (!r.prefixes.empty()) {
      __builtin_prefetch(words_of(hash_of_prefix(seed_, r.prefixes.front())));
    }
  };
  for (size_t i = 0; i < std::min(kAhead, ranges.size()); ++i) ask(i);
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (i + kAhead < ranges.size()) ask(i + kAhead);
    find(ranges[i], [&](std::string_view key, const HistoryEntry& e) { fn(i, key, e); });
  }
}

bool HistorySegment::find(const HistoryRange& range, const Fn& fn) const {
  if (range.from.empty() || blocks_.empty() || !may_hold(range)) return true;
  auto at = std::upper_bound(blocks_.begin(), blocks_.end(), range.from,
                             [](const std::string& key, const Block& b) { return key < b.first; });
  if (at != blocks_.begin()) --at;
  bool whole = true;
  for (; at != blocks_.end() && (range.to.empty() ? at->first <= range.from : at->first < range.to); ++at)
    whole = block(static_cast<size_t>(at - blocks_.begin()), range, fn) && whole;
  return whole;
}

}  // namespace entente::detect
