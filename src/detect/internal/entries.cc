#include "detect/internal/entries.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/uuid.h"
#include "packet/address.h"

namespace entente::detect {

using pattern::AtomKind;

std::string pack_id(std::string_view id) {
  constexpr std::string_view kPrefix = "indicator--";
  if (id.starts_with(kPrefix)) {
    const std::string_view rest = id.substr(kPrefix.size());
    if (const auto uuid = parse_uuid(rest); uuid && uuid->text() == rest) return '\0' + std::string(uuid->raw());
  }
  return id.size() > 250 ? std::string() : '\1' + std::string(id);
}

std::string unpack_id(std::string_view packed) {
  if (packed.empty()) return {};
  if (packed.front() != '\0') return std::string(packed.substr(1));
  Uuid uuid;
  std::copy(packed.begin() + 1, packed.end(), uuid.b.begin());
  return "indicator--" + uuid.text();
}

uint32_t Entries::row_of(uint32_t offset) const {
  const auto sample =
      static_cast<uint32_t>(std::upper_bound(samples_.begin(), samples_.end(), offset) - samples_.begin() - 1);
  uint32_t row = sample * kStep;
  for (uint32_t o = at(samples_[sample]).next; o <= offset; o = at(o).next)
    if (at(o).first) ++row;
  return row;
}

uint32_t Entries::begin_of(uint32_t row) const {
  uint32_t o = samples_[row / kStep];
  for (uint32_t left = row % kStep; left > 0;) {
    o = at(o).next;
    if (at(o).first) --left;
  }
  return o;
}

std::string Entries::id_of(uint32_t row) const {
  uint32_t o = begin_of(row);
  do {
    const Entry e = at(o);
    if (e.id) return unpack_id(e.octets);
    o = e.next;
  } while (o < bytes_.size() && !at(o).first);
  return {};
}

void Entries::begin_row() {
  end_rows();
  if (rows_++ % kStep == 0) samples_.push_back(static_cast<uint32_t>(bytes_.size()));
  fresh_ = true;
}

void Entries::end_rows() {
  if (fresh_) bytes_.push_back(static_cast<char>(kEmpty | kFirst));
  fresh_ = false;
}

uint32_t Entries::add(AtomKind kind, std::string_view octets) {
  const auto offset = static_cast<uint32_t>(bytes_.size());
  bytes_.push_back(static_cast<char>(static_cast<unsigned>(kind) | (fresh_ ? kFirst : 0u)));
  fresh_ = false;
  const size_t fixed = kFixed[static_cast<size_t>(kind)];
  const auto n = static_cast<uint16_t>(octets.size());
  if (fixed == kShort) bytes_.push_back(static_cast<char>(n));
  if (fixed == kLong) {
    bytes_.push_back(static_cast<char>(n & 0xff));
    bytes_.push_back(static_cast<char>(n >> 8));
  }
  bytes_.insert(bytes_.end(), octets.begin(), octets.end());
  return offset;
}

pattern::Atom Entries::atom_of(const Entry& e) {
  pattern::Atom atom{e.kind, {}, {}};
  switch (e.kind) {
    case AtomKind::kIpv4:
    case AtomKind::kIpv6:
      atom.value = packet::to_text(packet::Address::from_octets(e.octets.data(), e.kind == AtomKind::kIpv6));
      break;
    case AtomKind::kCidr4:
    case AtomKind::kCidr6:
      atom.value = packet::to_text(packet::Address::from_octets(e.octets.data(), e.kind == AtomKind::kCidr6)) + "/" +
                   std::to_string(static_cast<unsigned char>(e.octets.back()));
      break;
    case AtomKind::kMd5:
    case AtomKind::kSha1:
    case AtomKind::kSha256:
    case AtomKind::kSha512:
    case AtomKind::kJa3:
      atom.value = hex(e.octets);
      break;
    case AtomKind::kDomain:
    case AtomKind::kDomainTree:
    case AtomKind::kDomainBelow:
    case AtomKind::kUrl:
    case AtomKind::kEmail:
    case AtomKind::kJa4:
      atom.value = std::string(e.octets);
      break;
  }
  return atom;
}

}  // namespace entente::detect
