// A window on an input that is read in pieces: what is not consumed yet stays, offsets count from its start.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "stix/object_stream.h"

namespace entente::stix::internal {

class Window {
 public:
  Window(ObjectStream::Read read, size_t max) : read_(std::move(read)), max_(max) {}

  // What is there now, from the start of the window.
  [[nodiscard]] std::string_view seen() const { return {buffer_.data() + from_, to_ - from_}; }
  [[nodiscard]] uint64_t line() const { return line_; }      // of the start, from 1
  [[nodiscard]] uint64_t column() const { return column_; }  // of the start, in octets from 1
  [[nodiscard]] uint64_t octets() const { return octets_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  // Reads on; whether there was more. If more than the limit is being held for `offset`, the window is moved up to it
  // and overflowed() is true: the text before it is lost, the scanning can go on.
  bool more(size_t& offset) {
    if (offset > max_) {
      overflowed_ = true;
      consume(offset);
      offset = 0;
    }
    if (ended_) return false;
    if (from_ > 0 && (from_ == to_ || from_ > buffer_.size() / 2)) {
      std::memmove(buffer_.data(), buffer_.data() + from_, to_ - from_);
      to_ -= from_;
      from_ = 0;
    }
    if (buffer_.size() - to_ < kPiece) buffer_.resize(std::max(buffer_.size() * 2, to_ + 2 * kPiece));
    const auto n = read_(buffer_.data() + to_, buffer_.size() - to_);
    if (!n.ok()) error_ = n.error();
    ended_ = !n.ok() || *n == 0;
    if (ended_) return false;
    octets_ += *n;
    to_ += *n;
    return true;
  }

  // The octet at an offset, -1 at the end.
  int at(size_t& offset) {
    while (offset >= to_ - from_) {
      if (!more(offset)) return -1;
    }
    return static_cast<unsigned char>(buffer_[from_ + offset]);
  }

  void consume(size_t n) {
    if (n == 0) return;  // there may be no buffer yet
    const char* begin = buffer_.data() + from_;
    const char* last = nullptr;
    const char* at = begin;
    const char* end = begin + n;
    while ((at = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)))) != nullptr) {
      last = at++;
      ++line_;
    }
    column_ = last == nullptr ? column_ + n : static_cast<uint64_t>(end - last);
    from_ += n;
  }

  // The window's start is this place of a larger text.
  void begin_at(uint64_t line, uint64_t column) {
    line_ = line;
    column_ = column;
  }

  // Since it was last asked.
  bool overflowed() { return std::exchange(overflowed_, false); }

 private:
  static constexpr size_t kPiece = size_t{256} << 10;
  ObjectStream::Read read_;
  size_t max_;
  std::vector<char> buffer_;
  size_t from_ = 0, to_ = 0;
  uint64_t line_ = 1, column_ = 1, octets_ = 0;
  bool ended_ = false, overflowed_ = false;
  std::optional<Error> error_;
};

}  // namespace entente::stix::internal
