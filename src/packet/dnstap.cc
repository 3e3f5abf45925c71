#include "packet/dnstap.h"

#include <algorithm>
#include <utility>

namespace entente::packet {
namespace {

// Frame Streams: a frame is its length and its octets; length 0 is followed by a control frame in the same form.
constexpr uint32_t kAccept = 1, kStart = 2, kStop = 3, kReady = 4, kFinish = 5;
constexpr uint32_t kContentType = 1;
constexpr std::string_view kDnstap = "protobuf:dnstap.Dnstap";
constexpr size_t kMaxControl = 512;        // as the reference has it
constexpr size_t kMaxFrame = 256U << 10U;  // a DNS message is at most 64 KiB; the rest is names and addresses

uint32_t u32(std::string_view b, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v = v << 8U | static_cast<unsigned char>(b[at + i]);
  return v;
}

void put32(std::string& out, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(v >> static_cast<unsigned>(shift));
}

std::string control_frame(uint32_t type, bool with_content) {
  std::string out, body;
  put32(body, type);
  if (with_content) {
    put32(body, kContentType);
    put32(body, static_cast<uint32_t>(kDnstap.size()));
    body += kDnstap;
  }
  put32(out, 0);
  put32(out, static_cast<uint32_t>(body.size()));
  return out + body;
}

// Does the control frame name our content, or none at all?
bool content_fits(std::string_view fields) {
  bool any = false;
  while (fields.size() >= 8) {
    const uint32_t type = u32(fields, 0), size = u32(fields, 4);
    if (size > fields.size() - 8) return false;
    if (type == kContentType) {
      if (fields.substr(8, size) == kDnstap) return true;
      any = true;
    }
    fields.remove_prefix(8 + size);
  }
  return !any;
}

// A message of Protocol Buffers, field by field.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}
  // False at the end, or where it is malformed.
  bool next() {
    if (rest_.empty()) return false;
    uint64_t key = 0;
    if (!varint(key)) return bad();
    number = key >> 3U;
    value = 0;
    bytes = {};
    switch (key & 7U) {
      case 0:
        return varint(value) || bad();
      case 1:
        return fixed(8) || bad();
      case 2: {
        uint64_t size = 0;
        if (!varint(size) || size > rest_.size()) return bad();
        bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
      }
      case 5:
        return fixed(4) || bad();
      default:
        return bad();
    }
  }
  uint64_t number = 0, value = 0;
  std::string_view bytes;
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  bool bad() {
    malformed_ = true;
    return false;
  }
  bool varint(uint64_t& out) {
    out = 0;
    for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
      const auto c = static_cast<unsigned char>(rest_[i]);
      out |= uint64_t{c & 0x7fU} << (7 * i);
      if ((c & 0x80U) != 0) continue;
      rest_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }
  bool fixed(size_t size) {  // little-endian
    if (size > rest_.size()) return false;
    for (size_t i = 0; i < size; ++i) value |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    rest_.remove_prefix(size);
    return true;
  }
  std::string_view rest_;
  bool malformed_ = false;
};

Address address(std::string_view b) {
  return b.size() == 4 || b.size() == 16 ? Address::from_octets(b.data(), b.size() == 16) : Address{};
}

struct Moment {
  uint64_t seconds = 0, nanos = 0;
  [[nodiscard]] std::optional<Time> time() const {
    constexpr uint64_t kYear3000 = 32'503'680'000;
    if (seconds == 0 || seconds > kYear3000 || nanos >= 1'000'000'000) return std::nullopt;
    return Time{static_cast<int64_t>(seconds * 1'000'000 + nanos / 1000)};
  }
};

// dnstap.proto, message Message.
bool read_message(std::string_view bytes, DnstapMessage& m) {
  Fields f(bytes);
  Moment asked, answered;
  std::string_view question, answer;
  while (f.next()) {
    switch (f.number) {
      case 1:
        m.type = f.value > 14 ? 0 : static_cast<uint8_t>(f.value);
        break;
      case 4:
        m.client = address(f.bytes);
        break;
      case 5:
        m.server = address(f.bytes);
        break;
      case 6:
        m.client_port = static_cast<uint16_t>(f.value);
        break;
      case 7:
        m.server_port = static_cast<uint16_t>(f.value);
        break;
      case 8:
        asked.seconds = f.value;
        break;
      case 9:
        asked.nanos = f.value;
        break;
      case 10:
        question = f.bytes;
        break;
      case 12:
        answered.seconds = f.value;
        break;
      case 13:
        answered.nanos = f.value;
        break;
      case 14:
        answer = f.bytes;
        break;
      default:
        break;
    }
  }
  if (f.malformed() || m.type == 0) return false;
  m.response = m.type % 2 == 0;
  m.dns = m.response && !answer.empty() ? answer : question;
  m.time = m.response && answered.time() ? answered.time() : asked.time();
  return !m.dns.empty();
}

}  // namespace

bool looks_like_dnstap(std::string_view head) {
  if (head.size() < 12 || u32(head, 0) != 0 || u32(head, 4) < 4 || u32(head, 4) > kMaxControl) return false;
  return u32(head, 8) == kStart || u32(head, 8) == kReady;
}

Status DnstapReader::lost(std::string what) {
  state_ = State::kLost;
  carry_.clear();
  return make_error(ErrorKind::kInvalid, std::move(what), "message " + std::to_string(messages_),
                    "what came before it was read");
}

Status DnstapReader::control(std::string_view frame) {
  if (frame.size() < 4) return lost("a control frame without a type");
  const std::string_view fields = frame.substr(4);
  switch (u32(frame, 0)) {
    case kReady:
      if (state_ != State::kBegin) return lost("READY within a stream");
      if (!content_fits(fields)) return lost("the other side offers no dnstap");
      answered_ = true;
      state_ = State::kReady;
      reply_ += control_frame(kAccept, true);
      return {};
    case kStart:
      if (state_ == State::kData) return lost("START within a stream");
      if (!content_fits(fields)) return lost("the stream holds no dnstap");
      state_ = State::kData;
      return {};
    case kStop:
      if (state_ != State::kData) return lost("STOP before START");
      state_ = State::kStopped;
      if (answered_) reply_ += control_frame(kFinish, false);
      return {};
    default:
      return lost("an unknown control frame");
  }
}

void DnstapReader::data(std::string_view frame) {
  Fields f(frame);
  std::string_view message;
  while (f.next()) {
    if (f.number == 14) message = f.bytes;  // dnstap.proto, message Dnstap
  }
  DnstapMessage m;
  if (f.malformed() || !read_message(message, m)) {
    ++malformed_;
    return;
  }
  m.number = ++messages_;
  fn_(m);
}

Status DnstapReader::feed(std::string_view bytes) {
  if (state_ == State::kLost) return {};
  if (skip_ > 0) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
    bytes.remove_prefix(n);
    skip_ -= n;
  }
  if (!carry_.empty()) {
    carry_.append(bytes);
    bytes = carry_;
  }
  size_t used = 0;
  while (bytes.size() - used >= 4) {
    const std::string_view rest = bytes.substr(used);
    const uint32_t size = u32(rest, 0);
    if (size == 0) {
      if (rest.size() < 8) break;
      const uint32_t length = u32(rest, 4);
      if (length > kMaxControl) return lost("a control frame that is too long");
      if (rest.size() < 8 + length) break;
      CHECK_OK(control(rest.substr(8, length)));
      used += 8 + length;
      continue;
    }
    if (state_ != State::kData) return lost("this is no stream of dnstap messages");
    if (size > kMaxFrame) {
      ++malformed_;
      const size_t here = std::min<size_t>(rest.size(), size_t{4} + size);
      skip_ = uint64_t{4} + size - here;
      used += here;
      continue;
    }
    if (rest.size() < size_t{4} + size) break;
    data(rest.substr(4, size));
    used += size_t{4} + size;
  }
  carry_ = std::string(bytes.substr(used));
  return {};
}

Status DnstapReader::finish() {
  if (state_ == State::kLost) return {};
  if (!carry_.empty() || skip_ > 0) return lost("the last frame is cut short");
  return {};
}

std::string DnstapReader::take_reply() { return std::exchange(reply_, {}); }

}  // namespace entente::packet
