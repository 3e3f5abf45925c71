#include "json/json.h"

// Walks over a text that Document::parse has accepted, only to find where values begin and end. On any other text it
// may find nonsense, but it stays inside the text.
namespace entente::json {
namespace {

class Skipper {
 public:
  explicit Skipper(std::string_view text) : text_(text) {}

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] size_t at() const { return at_; }
  [[nodiscard]] bool ended() const { return at_ >= text_.size(); }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool eat(char c) {
    skip_space();
    if (peek() != c || ended()) return false;
    ++at_;
    return true;
  }

  // Requires: at an opening quote. Leaves it after the closing one.
  std::string_view string() {
    const size_t from = at_++;
    while (true) {
      at_ = text_.find('"', at_);
      if (at_ == std::string_view::npos) {
        at_ = text_.size();
        return text_.substr(from);
      }
      size_t slashes = 0;
      while (text_[at_ - 1 - slashes] == '\\') ++slashes;  // stops at the opening quote at the latest
      ++at_;
      if (slashes % 2 == 0) return text_.substr(from, at_ - from);
    }
  }

  std::string_view value() {
    skip_space();
    const size_t from = at_;
    const char c = peek();
    if (c == '"') return string();
    if (c == '{' || c == '[') {
      container();
    } else {
      while (!ended() && !scalar_end(text_[at_])) ++at_;
    }
    return text_.substr(from, at_ - from);
  }

 private:
  static bool scalar_end(char c) {
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
  }

  void container() {
    size_t depth = 0;
    while (!ended()) {
      switch (text_[at_]) {
        case '"':
          string();
          continue;
        case '{':
        case '[':
          ++depth;
          break;
        case '}':
        case ']':
          if (--depth == 0) {
            ++at_;
            return;
          }
          break;
        default:
          break;
      }
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Whether a raw name (with its quotes) reads as `name`.
bool reads_as(std::string_view raw, std::string_view name) {
  if (raw.find('\\') == std::string_view::npos)
    return raw.size() == name.size() + 2 && raw.substr(1, name.size()) == name;
  const auto parsed = parse(raw);
  if (!parsed.ok() || !parsed->root().is_string()) return false;
  return as_string(parsed->root()) == name;
}

}  // namespace

Result<std::vector<std::string_view>> split_array(std::string_view text, std::string_view name) {
  Skipper in(text);
  if (!in.eat('{')) return invalid("not a JSON object");
  while (true) {
    in.skip_space();
    if (in.peek() != '"') break;
    const bool found = reads_as(in.string(), name);
    if (!in.eat(':')) break;
    in.skip_space();
    if (!found) {
      in.value();
      if (!in.eat(',')) break;
      continue;
    }
    if (!in.eat('[')) return invalid("not an array", "/" + std::string(name));
    std::vector<std::string_view> out;
    if (in.eat(']')) return out;
    while (!in.ended()) {
      out.push_back(in.value());
      if (in.eat(']')) return out;
      if (!in.eat(',')) break;
    }
    break;
  }
  return invalid("no such array", "/" + std::string(name));
}

}  // namespace entente::json
