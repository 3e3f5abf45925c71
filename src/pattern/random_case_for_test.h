// Random patterns and small random observations that have something to do with each other. Everything from one seed.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace entente::pattern {

class RandomCase {
 public:
  explicit RandomCase(uint64_t seed) : r_(seed) {}

  int number(int low, int high) { return low + static_cast<int>(r_() % static_cast<uint64_t>(high - low + 1)); }
  bool one_in(int n) { return number(1, n) == 1; }
  template <size_t N>
  std::string pick(const char* const (&list)[N]) {
    return list[r_() % N];
  }

  static std::string time(int ms) {
    const auto two = [](int v) { return std::string(v < 10 ? "0" : "") + std::to_string(v); };
    const std::string milli = std::to_string(1000 + ms % 1000).substr(1);
    return "2026-01-01T00:" + two(ms / 60000) + ":" + two(ms / 1000 % 60) + "." + milli + "Z";
  }

  // --- data

  // `simple`: only x:n, for bindings; else everything that a comparison can see.
  std::string data(int observations, bool simple) {
    std::string out = "[";
    int next = 1;
    for (int i = 0; i < observations; ++i) {
      const int first = number(0, 12) * 500;
      const int last = one_in(2) ? first : first + number(0, 6) * 500;
      std::string refs;
      std::vector<std::string> ids;
      const int objects = number(1, simple ? 2 : 3);
      for (int k = 0; k < objects; ++k) ids.push_back("x--" + std::to_string(next++));
      for (const auto& id : ids) {
        out += object(id, simple, next) + ",";
        if (!one_in(8)) refs += (refs.empty() ? "\"" : ",\"") + id + "\"";
      }
      out += R"({"type":"observed-data","id":"observed-data--)" + std::to_string(i) + R"(","first_observed":")" +
             time(first) + R"(","last_observed":")" + time(last) + R"(","number_observed":)" +
             std::to_string(one_in(3) ? number(1, 3) : 1) + R"(,"object_refs":[)" + refs + "]}";
      out += i + 1 < observations ? "," : "";
    }
    return out + "]";
  }

  std::string object(const std::string& id, bool simple, int near) {
    std::string s = R"({"type":")" + std::string(one_in(4) ? "y" : "x") + R"(","id":")" + id + R"(","n":)" +
                    std::to_string(number(1, 4));
    if (simple) return s + "}";
    const auto near_id = [&] { return "\"x--" + std::to_string(std::max(1, near + number(-4, 1))) + "\""; };
    if (one_in(2)) s += R"(,"v":)" + value();
    if (one_in(2)) s += R"(,"l":[)" + value() + "," + value() + "]";
    if (one_in(3)) s += R"(,"o":{"v":)" + value() + R"(,"a b":)" + value() + "}";
    if (one_in(3)) s += R"(,"p_bin":")" + pick(kBase64) + "\"";
    if (one_in(3)) s += R"(,"p_hex":")" + pick(kHex) + "\"";
    if (one_in(3)) s += R"(,"t_ref":)" + near_id();
    if (one_in(3)) s += R"(,"t_refs":[)" + near_id() + "," + near_id() + "," + near_id() + "]";
    return s + "}";
  }

  std::string value() {
    switch (number(0, 7)) {
      case 0:
        return std::to_string(number(-1, 3));
      case 1:
        return pick(kFloats);
      case 2:
        return one_in(2) ? "true" : "false";
      case 3:
        return "\"" + pick(kTimes) + "\"";
      case 4:
        return "\"" + pick(kAddresses) + "\"";
      default:
        return "\"" + pick(kJsonTexts) + "\"";
    }
  }

  // --- patterns

  std::string path() {
    std::string p = one_in(4) ? "y:" : "x:";
    if (one_in(4))
      p += one_in(2) ? "t_ref." : one_in(2) ? "t_refs[*]." : "t_refs[" + std::to_string(number(0, 2)) + "].";
    switch (number(0, 8)) {
      case 0:
      case 1:
      case 2:
        return p + "v";
      case 3:
        return p + "l[" + std::to_string(number(-1, 2)) + "]";
      case 4:
        return p + "l[*]";
      case 5:
        return p + (one_in(2) ? "o.v" : "o.'a b'");
      case 6:
        return p + (one_in(2) ? "p_bin" : "p_hex");
      case 7:
        return p + (one_in(2) ? "l" : one_in(2) ? "t_ref" : "t_refs[*].t_ref.n");
      default:
        return p + "n";
    }
  }

  std::string constant(int kind) {
    switch (kind) {
      case 0:
        return std::to_string(number(-1, 3));
      case 1:
        return pick(kFloats);
      case 2:
        return "t'" + pick(kTimes) + "'";
      case 3:
        return "h'" + pick(kHex) + "'";
      case 4:
        return "b'" + pick(kBase64) + "'";
      case 5:
        return one_in(2) ? "true" : "false";
      case 6:
        return "'" + pick(kAddresses) + "'";
      default:
        return "'" + pick(kTexts) + "'";
    }
  }

  std::string test() {
    const std::string no = one_in(3) ? "NOT " : "";
    switch (number(0, 9)) {
      case 0:
        return no + "EXISTS " + path();
      case 1:
      case 2:
        return path() + " " + no + "LIKE '" + pick(kLikes) + "'";
      case 3:
        return path() + " " + no + "MATCHES '" + pick(kRegexes) + "'";
      case 4:
        return path() + " " + no + (one_in(2) ? "ISSUBSET '" : "ISSUPERSET '") + pick(kAddresses) + "'";
      case 5: {
        std::string s = path() + " " + no + "IN (";
        const int kind = number(0, 7);
        const int count = number(0, 3);
        for (int i = 0; i < count; ++i) s += (i > 0 ? ", " : "") + constant(kind == 6 ? 7 : kind);
        return s + ")";
      }
      case 6:
      case 7:
        return path() + " " + no + pick({"<", "<=", ">", ">="}) + " " + constant(number(0, 4) == 4 ? 7 : number(0, 4));
      default:
        return path() + " " + no + (one_in(3) ? "!=" : "=") + " " + constant(number(0, 7));
    }
  }

  std::string comparison(int depth) {
    if (depth == 0 || one_in(2)) return test();
    const std::string s = comparison(depth - 1) + (one_in(2) ? " AND " : " OR ") + comparison(depth - 1);
    return one_in(2) ? "(" + s + ")" : s;
  }

  std::string bracket(bool simple) {
    if (!simple) return "[" + comparison(2) + "]";
    if (one_in(5)) return "[x:n >= " + std::to_string(number(1, 4)) + "]";
    return "[" + std::string(one_in(6) ? "y" : "x") + ":n = " + std::to_string(number(1, 4)) + "]";
  }

  std::string qualifiers() {
    std::string s;
    if (one_in(5)) s += " REPEATS " + std::to_string(number(1, 4)) + " TIMES";
    if (one_in(5)) {
      s += " WITHIN " + pick({"1", "2", "0.5", "3", "1.5", "0.001", "5"}) + " SECONDS";
    }
    if (one_in(8)) s += " START t'" + time(number(0, 8) * 500) + "' STOP t'" + time(number(2, 16) * 500) + "'";
    return s;
  }

  std::string pattern(int depth, bool simple) {
    if (depth == 0) return bracket(simple) + qualifiers();
    std::string s = "(" + pattern(depth - 1 - number(0, std::min(1, depth - 1)), simple);
    const std::string op = pick({" AND ", " FOLLOWEDBY ", " OR ", " AND ", " FOLLOWEDBY "});
    for (int i = number(1, 2); i > 0; --i) s += op + pattern(depth - 1 - number(0, std::min(1, depth - 1)), simple);
    return s + ")" + qualifiers();
  }

 private:
  template <size_t N>
  std::string pick(const char* (&&list)[N]) {
    return list[r_() % N];
  }

  static constexpr const char* kFloats[] = {"1.0", "1.5", "2.0", "0.5", "-1.0"};
  static constexpr const char* kTimes[] = {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.5Z",
                                           "2026-01-01T00:00:00.5000000000001Z", "2026-01-02T00:00:00Z"};
  static constexpr const char* kAddresses[] = {
      "198.51.100.3", "198.51.100.0/24", "198.51.100.77/24", "0.0.0.0/0",     "2001:db8::1",    "2001:db8::/32",
      "::/0",         "198.51.0.0/16",   "198.51.100.3/32",  "198.51.100/24", "2001:db8::1/129"};
  static constexpr const char* kJsonTexts[] = {"", "a", "b", "ab", "aab", "a\\nb", "ä", "äb", "漢", "AB", "a.b", "1"};
  static constexpr const char* kTexts[] = {"", "a", "b", "ab", "aab", "a\nb", "ä", "äb", "漢", "AB", "a.b", "1"};
  static constexpr const char* kLikes[] = {"%", "a%",  "%b",  "_",  "a_",   "%a%b%", "__",
                                           "",  "a_b", "%_b", "ä%", "%\n%", "_%_"};
  static constexpr const char* kRegexes[] = {"a",        "^a", "a.b", "a+b", "^(a|b)*$",
                                             "[ab][ab]", "^$", "b?a", "^.$", "(a)(b)"};
  static constexpr const char* kBase64[] = {"YQ==", "YWI=", "5A==", "5GI=", "YQpi", "AA=="};
  static constexpr const char* kHex[] = {"61", "6162", "e4", "e462", "00", "610a62"};

  std::mt19937_64 r_;
};

}  // namespace entente::pattern
