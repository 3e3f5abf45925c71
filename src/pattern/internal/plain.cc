#include "pattern/internal/plain.h"

#include "pattern/internal/ast.h"

namespace entente::pattern {
namespace {

constexpr size_t kMaxText = 60'000;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }

class Plain {
 public:
  explicit Plain(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool pattern() {
    if (!take('[')) return false;
    do {
      blank();
      if (!test()) return false;
      blank();
      if (take(']')) return at_ == end_;
    } while (take_or());
    return false;
  }

 private:
  void blank() {
    while (at_ != end_ && *at_ == ' ') ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool take_or() { return take('O') && take('R') && at_ != end_ && *at_ == ' '; }

  // Letters, digits and `joint`, but no keyword.
  bool word(char joint) {
    const char* const begin = at_;
    if (at_ == end_ || !letter(*at_)) return false;
    while (at_ != end_ && (letter(*at_) || digit(*at_) || *at_ == joint)) ++at_;
    return !is_keyword({begin, static_cast<size_t>(at_ - begin)});
  }
  // Printable ASCII without escapes.
  bool quoted() {
    if (!take('\'')) return false;
    while (at_ != end_ && *at_ >= ' ' && *at_ <= '~' && *at_ != '\\' && *at_ != '\'') ++at_;
    return take('\'');
  }
  bool test() {
    if (!word('-') || !take(':') || !word('_')) return false;
    while (take('.')) {
      const bool in_quotes = at_ != end_ && *at_ == '\'';
      if (!(in_quotes ? name_in_quotes() : word('_'))) return false;
    }
    blank();
    if (!take('=')) return false;
    blank();
    return quoted();
  }
  bool name_in_quotes() {
    const char* const begin = at_;
    return quoted() && at_ - begin > 2;
  }

  const char* at_;
  const char* end_;
};

}  // namespace

bool plainly_valid(std::string_view text) { return text.size() <= kMaxText && Plain(text).pattern(); }

}  // namespace entente::pattern
