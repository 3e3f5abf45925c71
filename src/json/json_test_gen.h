// Random JSON for the tests of this layer.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <rapidcheck.h>

#include "json/node.h"

namespace entente::json {

// Builds a value out of random numbers: each decides one step, and when they are used up only nulls follow. So size is
// bounded and shrinking the numbers shrinks the value.
class NodeMaker {
 public:
  explicit NodeMaker(const std::vector<uint64_t>& numbers) : numbers_(numbers) {}

  Node make(int depth) {
    const uint64_t n = next();
    switch (n % (depth > 0 ? 7 : 5)) {
      case 0:
        return Node();
      case 1:
        return Node(next() % 2 == 0);
      case 2:
        return Node(static_cast<int64_t>(next() % 18014398509481983u) - 9007199254740991);
      case 3:
        return real();
      case 4:
        return text();
      case 5: {
        Node::List list;
        for (uint64_t i = n / 7 % 5; i > 0; --i) list.push_back(make(depth - 1));
        return list;
      }
      default: {
        Node object = Node::object();
        for (uint64_t i = n / 7 % 5; i > 0; --i) {
          const std::string name = text();
          object.set(name, make(depth - 1));
        }
        return object;
      }
    }
  }
  std::string text() {
    static const std::vector<std::string> kParts = {"a",
                                                    "b",
                                                    "\"",
                                                    "\\",
                                                    "/",
                                                    "{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    ",",
                                                    ":",
                                                    "\n",
                                                    "\t",
                                                    "\b",
                                                    "\f",
                                                    "\r",
                                                    std::string(1, '\0'),
                                                    "\x1f",
                                                    "\x7f",
                                                    "\xc3\xb6",
                                                    "\xe5\x8d\x94",
                                                    "\xee\x80\x80",
                                                    "\xef\xbf\xbd",
                                                    "\xef\xac\xb3",
                                                    "\xf0\x9f\x98\x82",
                                                    " ",
                                                    "\\u0061"};
    uint64_t n = next();
    std::string out;
    for (uint64_t i = n % 8; i > 0; --i) out += kParts[(n /= 31) % kParts.size()];
    return out;
  }

 private:
  uint64_t next() { return at_ < numbers_.size() ? numbers_[at_++] : 0; }
  Node real() {
    const uint64_t bits = next();
    double d = 0;
    __builtin_memcpy(&d, &bits, 8);
    // Only what is printed with a point or a large exponent reads back as a double.
    return !std::isfinite(d) || (std::fabs(d) < 1e21 && d == std::trunc(d)) ? Node(0.5) : Node(d);
  }
  const std::vector<uint64_t>& numbers_;
  size_t at_ = 0;
};

inline rc::Gen<std::vector<uint64_t>> gen_numbers() {
  return rc::gen::container<std::vector<uint64_t>>(rc::gen::resize(100, rc::gen::arbitrary<uint64_t>()));
}
inline rc::Gen<Node> gen_node(int depth) {
  return rc::gen::map(gen_numbers(), [depth](const std::vector<uint64_t>& n) { return NodeMaker(n).make(depth); });
}
inline rc::Gen<std::vector<Node>> gen_nodes(int depth) {
  return rc::gen::map(gen_numbers(), [depth](const std::vector<uint64_t>& n) {
    NodeMaker maker(n);
    std::vector<Node> out;
    for (size_t i = n.size() % 7; i > 0; --i) out.push_back(maker.make(depth));
    return out;
  });
}
inline rc::Gen<std::string> gen_text() {
  return rc::gen::map(rc::gen::resize(100, rc::gen::arbitrary<uint64_t>()), [](uint64_t n) {
    const std::vector<uint64_t> one{n};
    return NodeMaker(one).text();
  });
}

// Valid JSON with a few octets removed, doubled or exchanged.
inline rc::Gen<std::string> gen_mangled_json() {
  return rc::gen::map(
      rc::gen::tuple(gen_node(3), rc::gen::container<std::vector<std::pair<uint32_t, uint8_t>>>(
                                      rc::gen::pair(rc::gen::arbitrary<uint32_t>(), rc::gen::arbitrary<uint8_t>()))),
      [](const std::tuple<Node, std::vector<std::pair<uint32_t, uint8_t>>>& t) {
        std::string text = write(std::get<0>(t));
        const auto& changes = std::get<1>(t);
        for (size_t i = 0; i < changes.size() && i < 2 && !text.empty(); ++i) {
          const size_t at = changes[i].first % text.size();
          switch (changes[i].second % 4) {
            case 0:
              text.erase(at, 1);
              break;
            case 1:
              text.insert(at, 1, text[changes[i].second % text.size()]);
              break;
            case 2:
              text[at] = static_cast<char>(changes[i].second);
              break;
            default:
              text.resize(at);
              break;
          }
        }
        return text;
      });
}

}  // namespace entente::json
