// The last texts that were given, in one buffer that is written round and round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace entente::stix::internal {

class TextRing {
 public:
  struct Place {
    uint64_t at = 0;  // octets written before it, all in all
    uint32_t size = 0;
  };
  explicit TextRing(size_t octets) : room_(octets) {}

  // A text that is larger than a quarter of the room is not kept: its place has size 0.
  Place put(std::string_view text) {
    if (text.size() > room_ / 4) return {};
    if (buffer_.size() < room_) {  // not yet full: grows as it is needed
      if (buffer_.size() + text.size() <= room_) {
        const Place p{buffer_.size(), static_cast<uint32_t>(text.size())};
        buffer_ += text;
        written_ = buffer_.size();
        return p;
      }
      buffer_.resize(room_);
      written_ = room_;
    }
    const size_t left = room_ - written_ % room_;
    if (left < text.size()) written_ += left;
    const Place p{written_, static_cast<uint32_t>(text.size())};
    text.copy(buffer_.data() + written_ % room_, text.size());
    written_ += text.size();
    return p;
  }

  // "" if it was overwritten.
  [[nodiscard]] std::string_view get(const Place& p) const {
    if (p.size == 0 || (written_ > room_ && p.at < written_ - room_)) return {};
    return std::string_view(buffer_).substr(p.at % room_, p.size);
  }

 private:
  size_t room_;
  uint64_t written_ = 0;
  std::string buffer_;
};

}  // namespace entente::stix::internal
