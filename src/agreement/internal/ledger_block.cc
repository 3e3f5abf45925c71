#include "agreement/internal/ledger_block.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace entente::agreement::internal {
namespace {

using json::Node;

constexpr const char* kQuorum = "/ledger/quorum";
constexpr std::string_view kExcluding = " excluding log owner";

std::string_view owner_of(std::string_view name) { return name.substr(0, name.find('/')); }

// "N of ".
bool read_count(std::string_view head, uint64_t& n) {
  if (!head.ends_with(" of ")) return false;
  head.remove_suffix(4);
  const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), n);
  return error == std::errc() && end == head.data() + head.size() && (n == 0 || !head.starts_with('0'));
}

// What is written, not what it comes to for one log.
struct Written {
  bool all = false;
  uint64_t needed = 0;
  std::vector<std::string> names;
  bool excluding = false;
};

// The grammar of docs/format/ledger.md: all(NAME,…) or N of (NAME,…), with or without " excluding log owner".
std::optional<Written> read(std::string_view text, Shape& s) {
  const auto bad = [&](std::string_view why) {
    s.add(kQuorum, fmt::format("{}: write all(A/witness/1,B/witness/1), or N of (A/witness/1,…), with or without "
                               "'excluding log owner' (ledger.md §4)",
                               why));
    return std::nullopt;
  };
  const size_t open = text.find('(');
  const size_t close = text.find(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return bad("it has no list of witnesses in ( )");
  Written w;
  const std::string_view tail = text.substr(close + 1);
  w.excluding = tail == kExcluding;
  if (!tail.empty() && !w.excluding) return bad(fmt::format("\"{}\" follows the list", printable(tail, 60)));
  const std::string_view head = text.substr(0, open);
  w.all = head == "all";
  if (!w.all && !read_count(head, w.needed))
    return bad(fmt::format("\"{}\" is neither 'all' nor 'N of '", printable(head, 60)));
  std::string_view rest = text.substr(open + 1, close - open - 1);
  while (true) {
    const size_t comma = rest.find(',');
    w.names.emplace_back(rest.substr(0, comma));
    const std::string& name = w.names.back();
    if (name.find('/') == std::string::npos || name.find(' ') != std::string::npos)
      return bad(fmt::format("\"{}\" is not the name of a witness's key, PARTY/witness/N", printable(name, 60)));
    if (comma == std::string_view::npos) return w;
    rest.remove_prefix(comma + 1);
  }
}

// Witnesses that are nobody's: kid -> public key.
std::map<std::string, std::string> read_neutral(const Document& d, const Node& ledger, Shape& s) {
  std::map<std::string, std::string> out;
  const Node* list = s.array(ledger, "/ledger", "witnesses", false);
  if (list == nullptr) return out;
  size_t i = 0;
  for (const Node& w : list->list()) {
    const std::string at = fmt::format("/ledger/witnesses/{}", i++);
    if (!s.is_object(w, at)) continue;
    s.closed(w, at, {"kid", "public"}, {});
    const auto kid = s.text(w, at, "kid", true);
    const auto key = s.text(w, at, "public", true);
    if (!kid || !key) continue;
    if (kid->find('/') == std::string::npos || kid->find_first_of(" ,()+\n") != std::string::npos)
      s.add(at + "/kid", "a witness is named NAME/witness/N, without blanks, commas, + and brackets");
    else if (d.party(owner_of(*kid)) != nullptr)
      s.add(at + "/kid", fmt::format("{} is a party: its witnesses stand among its keys, and a neutral one has another "
                                     "name",
                                     owner_of(*kid)));
    if (!PublicKey::from_hex(*key).ok())
      s.add(at + "/public", "must be 64 lower-case hex digits, an Ed25519 key: as 'entente witness init' prints it");
    for (const auto& p : d.parties)
      for (const auto& k : p.keys)
        if (k.public_hex == *key)
          s.add(at + "/public",
                fmt::format("this is the key {} of a party: a neutral witness has a key of its own", k.kid));
    for (const auto& [other, known] : out) {
      if (other == *kid) s.add(at + "/kid", fmt::format("the witness {} is named twice", *kid));
      if (known == *key) s.add(at + "/public", fmt::format("the same key as {}: one witness would count twice", other));
    }
    out.emplace(*kid, *key);
  }
  return out;
}

}  // namespace

void check_ledger(const Document& d, const Node& root, Shape& s) {
  const Node* ledger = root.find("ledger");
  if (ledger == nullptr || !ledger->is_object()) return;
  const auto neutral = read_neutral(d, *ledger, s);
  const auto text = s.text(*ledger, "/ledger", "quorum", false);
  if (!text) return;
  const auto w = read(*text, s);
  if (!w) return;
  for (size_t i = 0; i < w->names.size(); ++i) {
    const std::string& name = w->names[i];
    if (std::find(w->names.begin(), w->names.begin() + static_cast<std::ptrdiff_t>(i), name) !=
        w->names.begin() + static_cast<std::ptrdiff_t>(i))
      s.add(kQuorum, fmt::format("{} stands twice: a witness counts once", name));
    if (neutral.contains(name)) continue;
    const Party* owner = d.party(owner_of(name));
    if (owner == nullptr) {
      s.add(kQuorum, fmt::format("{} is the witness of nobody: {} is no party, and /ledger/witnesses does not name it",
                                 name, owner_of(name)));
    } else if (std::ranges::none_of(owner->keys,
                                    [&](const KeyRecord& k) { return k.kid == name && k.role == KeyRole::kWitness; })) {
      s.add(kQuorum, fmt::format("{} has no key {} with the role witness", owner->party, name));
    }
  }
  if (!w->all && w->needed == 0) s.add(kQuorum, "0 witnesses are none: ask for 1 or more, or leave the quorum out");
  if (!w->all && w->needed > w->names.size()) {
    s.add(kQuorum, fmt::format("it asks for {} witnesses and names {}", w->needed, w->names.size()));
    return;
  }
  // What it comes to for the log of each party.
  for (const auto& p : d.parties) {
    if (!w->excluding) break;
    const auto others = static_cast<uint64_t>(
        std::ranges::count_if(w->names, [&](const std::string& n) { return owner_of(n) != p.party; }));
    if (w->all ? others == 0 : others < w->needed)
      s.add(kQuorum, fmt::format("it can never be met for the ledger of {}: without {}'s own, {} of {} are left",
                                 p.party, p.party, others, w->all ? w->names.size() : w->needed));
  }
}

}  // namespace entente::agreement::internal
