#include "stix/object_stream.h"

#include <utility>
#include <vector>

#include "stix/internal/skip.h"

namespace entente::stix {
namespace {

using Item = ObjectStream::Item;
using internal::Window;

constexpr int kMaxFaults = 1000;        // in a row
constexpr size_t kFirstLine = 1 << 20;  // a first line that is longer does not decide about JSON lines

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// A place "line:column" in a text that begins at `line`, `column` of the input, as one of the input; a JSON pointer
// gets line and outer pointer in front.
Error placed(Error e, uint64_t line, uint64_t column, const std::string& pointer) {
  const size_t colon = e.where.find(':');
  const bool digits = !e.where.empty() && e.where.find_first_not_of("0123456789:") == std::string::npos;
  if (digits && colon != std::string::npos) {
    const auto l = std::stoull(e.where.substr(0, colon));
    const auto c = std::stoull(e.where.substr(colon + 1));
    e.where = std::to_string(line + l - 1) + ":" + std::to_string(l == 1 ? column + c - 1 : c);
  } else {
    e.where = std::to_string(line) + (pointer.empty() && e.where.empty() ? "" : " ") + pointer + e.where;
  }
  return e;
}

// Whether the first of two lines cannot be the beginning of a JSON value that goes on in the second, so that both stand
// for themselves. Within a value `}` is never followed by `{`; an object that is open goes on with a name, and a string
// does not go on at all.
bool stands_alone(std::string_view line, char next) {
  if (line.empty() || line.front() != '{' || next != '{') return false;
  std::vector<char> open;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') open.push_back(c);
    if ((c == '}' || c == ']') && !open.empty()) open.pop_back();
  }
  return in_string || open.empty() || (open.back() == '{' && line.back() != ':');
}

bool is_envelope(const json::Value& root) {
  return root.is_object() && !json::find(root, "type") && !json::find(root, "id");
}

bool is_bundle(const json::Value& root) { return json::find_string(root, "type") == "bundle"; }

// What an envelope may have besides its objects (TAXII 2.1 §3.7).
std::optional<Error> envelope_fault(const json::Value& root) {
  for (const auto& member : json::as_object(root)) {
    if (member.key != "more" && member.key != "next" && member.key != "objects") {
      return invalid("neither a STIX object nor an envelope", "/" + std::string(member.key),
                     "every STIX object has a type and an id");
    }
  }
  return std::nullopt;
}

}  // namespace

struct ObjectStream::State {
  State(Read read, const Options& o) : options(o), in(std::move(read), o.max_object) {}

  Options options;
  Window in;
  enum class Mode : uint8_t { kStart, kDocument, kList, kLines, kEnd } mode = Mode::kStart;
  json::Document document, wrapper_document;
  size_t used = 0;  // octets of the window that the last item points into
  int faults = 0;   // in a row
  bool anything = false;

  // The list being read.
  std::string head;     // the wrapper without its objects; empty for a plain list
  std::string pointer;  // of the list
  uint64_t head_line = 1, head_column = 1;
  uint64_t count = 0;
  bool after_value = false, after_comma = false;

  // A line or object that holds a list itself is read by a stream of its own.
  std::unique_ptr<State> inner;
  size_t inner_used = 0;
  bool any_list = false;  // `objects` is a list of objects whatever else is there

  bool next(Item& item);
  bool step(Item& item);
  void start();
  bool value(Item& item);
  bool walk(size_t& offset, bool& list);
  bool open_list(size_t offset);
  bool element(Item& item);
  void resume(size_t& offset, uint64_t column);
  bool close_list(Item& item);
  bool line(Item& item);
  bool open_inner(Item& item);
  bool wrapper(Item& item, const std::string& text, uint64_t line, uint64_t column);
  bool object(Item& item, std::string_view text, uint64_t line, uint64_t column, std::string place);
  bool fault(Item& item, Error error, uint64_t line);

  [[nodiscard]] json::Limits limits() const {
    return {.max_bytes = options.max_object, .max_depth = options.max_depth};
  }
  [[nodiscard]] Error too_large() const {
    return make_error(ErrorKind::kTooLarge, "more than " + std::to_string(options.max_object) + " octets in one object",
                      {}, "raise the limit if it is meant to be that large");
  }
  [[nodiscard]] std::string here() const { return std::to_string(in.line()) + ":" + std::to_string(in.column()); }
};

ObjectStream::ObjectStream(Read read) : ObjectStream(std::move(read), Options{}) {}
ObjectStream::ObjectStream(Read read, const Options& options)
    : state_(std::make_unique<State>(std::move(read), options)) {}
ObjectStream::ObjectStream(ObjectStream&&) noexcept = default;
ObjectStream& ObjectStream::operator=(ObjectStream&&) noexcept = default;
ObjectStream::~ObjectStream() = default;

uint64_t ObjectStream::octets() const { return state_->in.octets(); }

Result<bool> ObjectStream::next(Item& item) {
  State& s = *state_;
  const bool more = s.next(item);
  if (s.in.error()) {
    s.mode = State::Mode::kEnd;
    return *s.in.error();
  }
  return more;
}

bool ObjectStream::State::next(Item& item) {
  in.consume(std::exchange(used, 0));
  item.fault.reset();
  item.place.clear();
  item.text = {};
  while (mode != Mode::kEnd || inner != nullptr) {
    if (!step(item)) continue;
    anything = true;
    if (item.kind != Item::Kind::kFault) {
      faults = 0;
    } else if (++faults == kMaxFaults) {
      mode = Mode::kEnd;
      inner.reset();
      item.fault = invalid("1,000 faults one after another, the rest is not read", here(),
                           "send a bundle, an envelope, an object or JSON lines");
    }
    return true;
  }
  if (!anything && !in.error()) {
    anything = true;
    return fault(item, invalid("nothing there", "1:1", "send a bundle, an envelope, an object or JSON lines"), 1);
  }
  return false;
}

// One step; whether it gave an item.
bool ObjectStream::State::step(Item& item) {
  if (inner != nullptr) {
    inner->faults = 0;  // counted here
    if (inner->next(item)) return true;
    inner.reset();
    in.consume(std::exchange(inner_used, 0));
    return false;
  }
  switch (mode) {
    case Mode::kStart:
      if (size_t at = 0; in.at(at) == 0xef) {
        size_t last = 2;
        if (in.at(last) >= 0 && in.seen().starts_with("\xef\xbb\xbf")) {
          used = 3;
          const auto line = in.line();
          return fault(item, invalid("byte order mark before the JSON text", "1:1", "remove it"), line);
        }
      }
      start();
      return false;
    case Mode::kDocument:
      return value(item);
    case Mode::kList:
      return element(item);
    case Mode::kLines:
      return line(item);
    case Mode::kEnd:
      return false;
  }
  return false;
}

// Decides between JSON lines and documents by the first line and the beginning of the next.
void ObjectStream::State::start() {
  size_t offset = 0;
  mode = Mode::kDocument;
  if (!skip_space(in, offset)) {
    mode = Mode::kEnd;
    return;
  }
  in.consume(offset);
  // Not beyond the limit, where the window would move on and lose what was not read yet.
  const size_t limit = std::min(kFirstLine, options.max_object);
  size_t end = 0;
  while (end <= limit && in.at(end) >= 0) {
    const size_t feed = in.seen().find('\n', end);
    if (feed == std::string_view::npos) {
      end = in.seen().size();
      continue;
    }
    end = feed;
    while (end <= limit && in.at(end) >= 0 &&
           std::string_view(" \t\r\n").find(in.seen()[end]) != std::string_view::npos)
      ++end;
    if (end > limit || in.at(end) < 0) return;
    if (stands_alone(trim(in.seen().substr(0, feed)), in.seen()[end])) mode = Mode::kLines;
    return;
  }
}

// A document: an object alone is an item, a list is opened.
bool ObjectStream::State::value(Item& item) {
  size_t offset = 0;
  if (!skip_space(in, offset)) {
    mode = Mode::kEnd;
    return false;
  }
  in.consume(offset);
  (void)in.overflowed();
  offset = 0;
  const int first = in.at(offset);
  const uint64_t line = in.line();
  const uint64_t column = in.column();
  if (first == '[') {
    head.clear();
    pointer.clear();
    in.consume(1);
    head_line = line;
    head_column = column;
    count = 0;
    after_value = after_comma = false;
    mode = Mode::kList;
    return false;
  }
  if (first != '{') {
    internal::skip_to_line_end(in, offset);
    used = offset;
    return fault(
        item,
        invalid("neither a STIX object nor a list of them", std::to_string(line) + ":" + std::to_string(column),
                "send a bundle, an envelope, an object or JSON lines"),
        line);
  }
  bool list = false;
  const bool closed = walk(offset, list);
  if (list) return open_list(offset);
  used = offset;
  if (in.overflowed() || offset > options.max_object) {
    return fault(item, placed(too_large(), line, column, ""), line);
  }
  (void)closed;  // the parser says what is missing
  object(item, in.seen().substr(0, offset), line, column, "");
  return open_inner(item);
}

// Over the members of an object, to its end or to the list of a bundle or envelope. Whether it was closed.
bool ObjectStream::State::walk(size_t& offset, bool& list) {
  bool typed = false, bundle = false, named = false;
  ++offset;
  while (true) {
    if (!internal::skip_space(in, offset)) return false;
    size_t from = offset;
    const int c = in.at(offset);
    if (c == '}') {
      ++offset;
      return true;
    }
    if (c == ',') {
      ++offset;
      continue;
    }
    if (c != '"') return internal::skip_brackets(in, offset, 1);  // no JSON: to where the brackets close
    if (!internal::skip_string(in, offset)) return false;
    std::string name(in.seen().substr(from + 1, offset - from - 2));
    if (name.find('\\') != std::string::npos) {
      const auto plain = json::parse(in.seen().substr(from, offset - from));
      if (plain.ok() && plain->root().is_string()) name = json::as_string(plain->root());
    }
    if (!internal::skip_space(in, offset)) return false;
    if (in.at(offset) != ':') return internal::skip_brackets(in, offset, 1);
    ++offset;
    if (!internal::skip_space(in, offset)) return false;
    from = offset;
    if (name == "objects" && in.at(offset) == '[' && (any_list || bundle || (!typed && !named))) {
      list = true;
      return false;
    }
    if (const int v = in.at(offset); v == '}' || v == ']' || v == ',' || v == ':') {
      return internal::skip_brackets(in, offset, 1);
    }
    if (!internal::skip_value(in, offset)) return false;
    if (offset < from) continue;  // the window moved: the text is lost, only the end is looked for
    const auto text = in.seen().substr(from, offset - from);
    if (name == "type") {
      typed = true;
      bundle = bundle || text == "\"bundle\"";
    } else if (name == "id") {
      named = true;
      bundle = bundle || (!typed && text.starts_with("\"bundle--"));
    }
  }
}

// At the bracket that opens the list.
bool ObjectStream::State::open_list(size_t offset) {
  head_line = in.line();
  head_column = in.column();
  (void)in.overflowed();
  head = in.seen().substr(0, offset + 1);
  pointer = "/objects";
  count = 0;
  after_value = after_comma = false;
  in.consume(offset + 1);
  mode = Mode::kList;
  return false;
}

// The next element of the list.
bool ObjectStream::State::element(Item& item) {
  size_t offset = 0;
  if (!internal::skip_space(in, offset)) {
    mode = Mode::kEnd;
    return fault(item,
                 invalid("the text ends too early", here(),
                         "the list that begins in line " + std::to_string(head_line) + " is not closed"),
                 head_line);
  }
  in.consume(offset);
  (void)in.overflowed();
  offset = 0;
  const int c = in.at(offset);
  const uint64_t line = in.line();
  const uint64_t column = in.column();
  const auto wrong = [&](const char* what, size_t skip) {
    used = skip;
    return fault(item, invalid(what, std::to_string(line) + ":" + std::to_string(column)), line);
  };
  if (c == ']') {
    if (after_comma) {
      after_comma = false;
      return wrong("expected a value", 0);
    }
    in.consume(1);
    return close_list(item);
  }
  if (c == ',') {
    in.consume(1);
    if (!after_value) return wrong("expected a value", 0);
    after_value = false;
    after_comma = true;
    return false;
  }
  if (after_value && c != '}') {
    after_value = false;
    return wrong("expected a comma or the end of the list", 0);
  }
  if (c == '}' || c == ':') return wrong("expected a value", 1);
  const std::string place = pointer + "/" + std::to_string(count++);
  item.place = place;
  bool broken = false;
  const bool closed = c == '{' ? internal::skip_brackets(in, offset, 0, &broken) : internal::skip_value(in, offset);
  after_value = true;
  after_comma = false;
  if (broken) resume(offset, column);
  used = offset;
  if (in.overflowed() || offset > options.max_object)
    return fault(item, placed(too_large(), line, column, place), line);
  if (!closed) mode = Mode::kEnd;
  if (c != '{') {
    return fault(item, placed(invalid("a STIX object must be a JSON object"), line, column, place), line);
  }
  return object(item, in.seen().substr(0, offset), line, column, place);
}

// After a broken line in an element that began in `column`: on to where programs that indent have its closing bracket,
// the next element, or the end of the list.
void ObjectStream::State::resume(size_t& offset, uint64_t column) {
  while (in.at(offset) >= 0) {
    ++offset;  // the line feed
    uint64_t at = 1;
    for (int c = in.at(offset); c == ' ' || c == '\t'; c = in.at(++offset)) ++at;
    const int c = in.at(offset);
    if (c == '{' && at == column) {
      after_value = false;
      return;
    }
    if (c == ']' && at < column) return;
    if (c == '}' && at == column) {
      ++offset;
      return;
    }
    internal::skip_to_line_end(in, offset);
  }
}

// Behind the bracket that closes the list: the rest of the wrapper.
bool ObjectStream::State::close_list(Item& item) {
  mode = Mode::kDocument;
  if (head.empty()) {
    if (count > 0) return false;
    anything = true;  // an empty list is something
    return false;
  }
  size_t offset = 0;
  (void)in.overflowed();
  internal::skip_brackets(in, offset, 1);
  used = offset;
  if (in.overflowed() || head.size() + offset > options.max_object) {
    return fault(item, placed(too_large(), head_line, head_column, ""), head_line);
  }
  if (count > 0) head += '0';
  head += ']';
  head += in.seen().substr(0, offset);
  return wrapper(item, head, head_line, head_column);
}

bool ObjectStream::State::wrapper(Item& item, const std::string& text, uint64_t line, uint64_t column) {
  if (Status s = wrapper_document.parse(text, limits()); !s.ok()) {
    // Columns behind the list are not those of the input.
    Error e = s.error();
    if (const size_t colon = e.where.find(':'); colon != std::string::npos && e.where.front() != '/') e.where.clear();
    return fault(item, placed(std::move(e), line, column, ""), line);
  }
  const json::Value root = wrapper_document.root();
  if (is_envelope(root)) {
    if (auto e = envelope_fault(root)) return fault(item, placed(*std::move(e), line, column, ""), line);
  } else if (!is_bundle(root)) {
    return fault(item,
                 placed(invalid("a list of objects in what is neither bundle nor envelope", "/type"), line, column, ""),
                 line);
  }
  item.kind = Item::Kind::kWrapper;
  item.value = root;
  item.line = line;
  item.place.clear();
  return true;
}

bool ObjectStream::State::object(Item& item, std::string_view text, uint64_t line, uint64_t column, std::string place) {
  if (Status s = document.parse(text, limits()); !s.ok()) {
    item.place = place;
    return fault(item, placed(s.error(), line, column, place), line);
  }
  const json::Value root = document.root();
  if (place.empty() && is_envelope(root)) {
    if (auto e = envelope_fault(root)) return fault(item, placed(*std::move(e), line, column, ""), line);
  }
  item.kind = place.empty() && (is_envelope(root) || is_bundle(root)) ? Item::Kind::kWrapper : Item::Kind::kObject;
  item.text = text;
  item.value = root;
  item.line = line;
  item.place = std::move(place);
  return true;
}

bool ObjectStream::State::fault(Item& item, Error error, uint64_t line) {
  item.kind = Item::Kind::kFault;
  item.fault = std::move(error);
  item.line = line;
  return true;
}

// JSON lines: every line stands for itself.
bool ObjectStream::State::line(Item& item) {
  size_t offset = 0;
  if (!internal::skip_space(in, offset)) {
    mode = Mode::kEnd;
    return false;
  }
  in.consume(offset);
  (void)in.overflowed();
  offset = 0;
  const uint64_t number = in.line();
  const uint64_t column = in.column();
  internal::skip_to_line_end(in, offset);
  used = offset;
  if (in.overflowed() || offset > options.max_object) {
    return fault(item, placed(too_large(), number, column, ""), number);
  }
  object(item, trim(in.seen().substr(0, offset)), number, column, "");
  return open_inner(item);
}

// Whether `item` is to be given out as it is: not if it holds a list of objects, which then follow one by one.
bool ObjectStream::State::open_inner(Item& item) {
  if (item.kind == Item::Kind::kFault) return true;
  const bool list =
      item.value.is_array() || (item.kind == Item::Kind::kWrapper && json::find_array(item.value, "objects"));
  if (!list) {
    if (item.value.is_object()) return true;
    return fault(item, invalid("a STIX object must be a JSON object", std::to_string(item.line)), item.line);
  }
  inner = std::make_unique<State>(read_text(item.text), options);
  inner->in.begin_at(in.line(), in.column());
  inner->mode = Mode::kDocument;
  inner->any_list = true;
  inner_used = std::exchange(used, 0);
  return false;
}

ObjectStream::Read read_text(std::string_view text, size_t chunk) {
  return [text, chunk](char* to, size_t room) mutable -> Result<size_t> {
    const size_t n = text.copy(to, std::min(room, chunk));
    text.remove_prefix(n);
    return n;
  };
}

}  // namespace entente::stix
