#include "pattern/internal/regex.h"

#include <optional>

#include <re2/re2.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/bytes.h"
#include "pattern/internal/text.h"

namespace entente::pattern {
namespace {

constexpr uint32_t kMatchLimit = 50'000;  // steps of PCRE2 for one value: a few milliseconds
constexpr uint32_t kDepthLimit = 5'000;
constexpr uint32_t kHeapLimitKib = 4'096;
constexpr size_t kMaxExpression = 16 * 1024;

// --- what both engines understand alike

// Walks an expression and rewrites it for RE2; gives up at anything that is not known to mean the same in both.
class Translator {
 public:
  Translator(std::string_view in, bool octets) : in_(in), octets_(octets) {}

  std::optional<std::string> run() {
    while (at_ < in_.size()) {
      if (!one()) return std::nullopt;
    }
    if (depth_ != 0) return std::nullopt;
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  void copy(size_t n = 1) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }

  bool one() {
    switch (peek()) {
      case '\\':
        return escape(false);
      case '[':
        return set();
      case '(':
        return open();
      case ')':
        --depth_;
        copy();
        return depth_ >= 0;
      case '$':
        return dollar();
      case '*':
      case '+':
      case '?':
      case '}':
        // A plus after a quantifier is possessive in PCRE.
        copy();
        return peek() != '+';
      case '\0':
        return false;
      default:
        if (octets_ && static_cast<unsigned char>(peek()) >= 0x80) return false;
        copy();
        return true;
    }
  }

  bool escape(bool in_set) {
    const char c = peek(1);
    switch (c) {
      case 'd':
      case 'w':
      case 'D':
      case 'W':
        copy(2);
        return true;
      case 'b':
      case 'B':
      case 'A':
      case 'z':
        copy(2);
        return !in_set;  // \b in a set is a backspace in PCRE
      case 'n':
      case 't':
      case 'r':
      case 'f':
        copy(2);
        return true;
      case 's':
        // White space of PCRE includes the vertical tab, that of RE2 does not.
        out_ += in_set ? "\\t-\\r " : "[\\t-\\r ]";
        at_ += 2;
        return !(in_set && peek() == '-');
      case 'S':
        if (in_set) return false;
        out_ += "[^\\t-\\r ]";
        at_ += 2;
        return true;
      case 'x':
        if (!hex(peek(2)) || !hex(peek(3)) || (octets_ && peek(2) >= '8')) return false;
        copy(4);
        return true;
      default:
        // Punctuation stands for itself; every other letter and every digit may mean something.
        if (c <= ' ' || c == '\x7f' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            static_cast<unsigned char>(c) >= 0x80) {
          return false;
        }
        copy(2);
        return true;
    }
  }

  static bool hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

  bool set() {
    copy();
    if (peek() == '^') copy();
    if (peek() == ']') return false;  // a member in PCRE and RE2, the end of the set elsewhere: leave it to PCRE
    while (at_ < in_.size() && peek() != ']') {
      if (peek() == '\\') {
        if (!escape(true)) return false;
      } else if (peek() == '[') {
        return false;  // [:alpha:], [.x.], [=x=], or a bracket
      } else {
        if (peek() == '\0' || (octets_ && static_cast<unsigned char>(peek()) >= 0x80)) return false;
        copy();
      }
    }
    if (at_ >= in_.size()) return false;
    copy();
    return true;
  }

  bool open() {
    ++depth_;
    if (peek(1) == '*') return false;  // a verb
    if (peek(1) != '?') {
      copy();
      return true;
    }
    if (peek(2) == ':') {
      copy(3);
      return true;
    }
    if (peek(2) == 'i' && peek(3) == ')' && at_ == 0) {
      --depth_;
      copy(4);
      return !octets_;
    }
    return false;
  }

  // $ is the end of the value or before a newline that ends it. Where nothing can follow, that newline may be eaten.
  bool dollar() {
    size_t next = at_ + 1;
    while (next < in_.size() && in_[next] == ')') ++next;
    const bool last = next == in_.size() || (depth_ == 0 && next == at_ + 1 && in_[next] == '|');
    if (!last) return false;
    out_ += "\\n?\\z";
    ++at_;
    return true;
  }

  std::string_view in_;
  bool octets_;
  size_t at_ = 0;
  int depth_ = 0;
  std::string out_;
};

class Linear final : public Regex {
 public:
  Linear(const std::string& expression, bool octets) : re_(expression, options(octets)) {}
  [[nodiscard]] bool ok() const { return re_.ok(); }

  [[nodiscard]] bool search(std::string_view value, Work& work) const override {
    // The automaton may have to fall back on simulation, whose cost is that of the value times the program: charged in
    // full where that is much.
    const uint64_t product = value.size() * static_cast<uint64_t>(re_.ProgramSize());
    const bool heavy = value.size() > 1024 || re_.ProgramSize() > 64;
    if (!work.spend(1 + product / (heavy ? 4 : 16))) return false;
    return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), re_);
  }
  [[nodiscard]] bool linear() const override { return true; }

 private:
  static re2::RE2::Options options(bool octets) {
    re2::RE2::Options o;
    o.set_encoding(octets ? re2::RE2::Options::EncodingLatin1 : re2::RE2::Options::EncodingUTF8);
    o.set_dot_nl(true);
    o.set_log_errors(false);
    o.set_never_capture(true);
    o.set_max_mem(256 << 10);
    return o;
  }
  re2::RE2 re_;
};

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freer<T, Free>>;
using Code = Owned<pcre2_code, pcre2_code_free>;
using MatchData = Owned<pcre2_match_data, pcre2_match_data_free>;
using MatchContext = Owned<pcre2_match_context, pcre2_match_context_free>;

// Called before every item of the expression: what the search costs is counted, not guessed.
int count_step(pcre2_callout_block*, void* work) {
  return static_cast<Work*>(work)->spend(4) ? 0 : PCRE2_ERROR_CALLOUT;
}

class Backtracking final : public Regex {
 public:
  explicit Backtracking(Code code) : code_(std::move(code)), context_(pcre2_match_context_create(nullptr)) {
    pcre2_set_match_limit(context_.get(), kMatchLimit);
    pcre2_set_depth_limit(context_.get(), kDepthLimit);
    pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
  }

  [[nodiscard]] bool search(std::string_view value, Work& work) const override {
    if (!work.spend(20 + value.size() / 4)) return false;
    const MatchData data(pcre2_match_data_create(1, nullptr));
    const MatchContext context(pcre2_match_context_copy(context_.get()));
    if (data == nullptr || context == nullptr) {
      work.limited = true;
      return false;
    }
    pcre2_set_callout(context.get(), count_step, &work);
    const int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(value.data()), value.size(), 0, 0, data.get(),
                               context.get());
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) work.limited = true;
    return rc >= 0;
  }
  [[nodiscard]] bool linear() const override { return false; }

 private:
  Code code_;
  MatchContext context_;
};

}  // namespace

std::optional<std::string> for_re2(std::string_view expression, bool octets) {
  return Translator(expression, octets).run();
}

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view expression, bool octets) {
  if (expression.size() > kMaxExpression) {
    return make_error(ErrorKind::kTooLarge, "a regular expression over 16 KiB", "", "split it with OR into several");
  }
  if (const auto same = for_re2(expression, octets)) {
    auto linear = std::make_shared<Linear>(*same, octets);
    if (linear->ok()) return std::shared_ptr<const Regex>(std::move(linear));
  }
  int code = 0;
  PCRE2_SIZE at = 0;
  const uint32_t flags = PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_AUTO_CALLOUT |
                         (octets ? uint32_t{PCRE2_NEVER_UTF} : uint32_t{PCRE2_UTF});
  Code compiled(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(), flags, &code, &at, nullptr));
  if (compiled == nullptr) {
    std::string why(256, '\0');
    const int size = pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(why.data()), why.size());
    why.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return invalid("a regular expression that PCRE does not take: " + why,
                   "character " + std::to_string(at + 1) + " of it",
                   "correct it; a backslash of the expression is written \\\\ in a pattern");
  }
  return std::shared_ptr<const Regex>(std::make_shared<Backtracking>(std::move(compiled)));
}

}  // namespace entente::pattern
