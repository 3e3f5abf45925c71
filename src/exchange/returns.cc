#include "exchange/returns.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "exchange/names.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

using json::Node;
constexpr size_t kMostRows = 10'000;

Result<std::string> text_of(const json::Value& o, std::string_view name) {
  const auto v = json::find_string(o, name);
  if (!v)
    return invalid(fmt::format("what was said of a return lacks the text \"{}\"", name), fmt::format("/{}", name));
  return std::string(*v);
}

std::string_view word_of(ReturnState s) {
  return s == ReturnState::kConfirmed ? "confirmed" : s == ReturnState::kDiffers ? "differs" : "waiting";
}

std::optional<Time> time_in(const Node& n, std::string_view name) {
  const auto t = parse_time(n.string_at(name));
  return t.ok() ? std::optional(*t) : std::nullopt;
}

uint64_t count_in(const Node& n, std::string_view name) {
  const Node* v = n.find(name);
  return v != nullptr && v->is_int() && v->integer() > 0 ? static_cast<uint64_t>(v->integer()) : 0;
}

}  // namespace

std::string Return::record() const {
  Node list = Node::array();
  for (const auto& r : rows) {
    Node numbers = Node::array();
    for (const uint32_t i : r.rows) numbers.list().emplace_back(int64_t{i});
    list.push(Node::object().set("manifest", r.manifest).set("rows", std::move(numbers)).set("digest", r.digest));
  }
  Node n = statement_record(*this);
  return json::canonical(n.set("article", article).set("returned", std::move(list)));
}

uint64_t Return::objects() const {
  uint64_t n = 0;
  for (const auto& r : rows) n += r.rows.size();
  return n;
}

std::string return_digest(std::string_view object_salt, const std::vector<std::pair<uint32_t, std::string>>& rows) {
  std::string what = "entente/return-rows/v1\n";
  for (const auto& [i, sha256] : rows) what += fmt::format("{} {}\n", i, sha256);
  return hex(view(hmac_sha256(object_salt, what)));
}

Result<Return> parse_return(const json::Value& object) {
  Return r;
  TRY(const StatementRead read, parse_statement(kReturn, object, r));
  const json::Value root = read.doc.root();
  TRY(r.article, text_of(root, "article"));
  const auto list = json::find_array(root, "returned");
  if (!list) return invalid("the statement of what is handed back has no list", "/returned");
  std::set<std::string> seen;
  size_t n = 0;
  for (const json::Value one : *list) {
    Return::Rows rows;
    TRY(rows.manifest, text_of(one, "manifest"));
    TRY(rows.digest, text_of(one, "digest"));
    const auto numbers = json::find_array(one, "rows");
    if (!numbers || numbers->size() == 0 || !seen.insert(rows.manifest).second)
      return invalid("the statement of what is handed back names a manifest without rows, or twice", "/returned");
    for (const json::Value v : *numbers) {
      int64_t i = 0;
      if (v.get_int64().get(i) != simdjson::SUCCESS || i < 0 || i > INT32_MAX || ++n > kMostRows ||
          (!rows.rows.empty() && rows.rows.back() >= i))
        return invalid("the rows that are handed back are no ascending numbers, or more than 10,000", "/returned");
      rows.rows.push_back(static_cast<uint32_t>(i));
    }
    r.rows.push_back(std::move(rows));
  }
  if (r.rows.empty()) return invalid("the statement of what is handed back names nothing", "/returned");
  if (r.record() != read.record) return invalid("the record of what is handed back is not canonical", r.id);
  return r;
}

std::string ReturnAnswer::record() const {
  Node list = Node::array();
  for (const auto& m : differs) list.push(m);
  Node n = statement_record(*this);
  n.set("return", about).set("leaf_sha256", leaf_sha256).set("verdict", differs.empty() ? "confirmed" : "differs");
  return json::canonical(n.set("differs", std::move(list)));
}

Result<ReturnAnswer> parse_return_answer(const json::Value& object) {
  ReturnAnswer a;
  TRY(const StatementRead read, parse_statement(kReturnAnswer, object, a));
  const json::Value root = read.doc.root();
  TRY(a.about, text_of(root, "return"));
  TRY(a.leaf_sha256, text_of(root, "leaf_sha256"));
  for (const auto m : json::string_list(json::find_array(root, "differs"))) a.differs.emplace_back(m);
  if (a.record() != read.record) return invalid("the record of the answer to a return is not canonical", a.id);
  return a;
}

std::string returned_key(const Context& cx, std::string_view agreement_id, std::string_view peer,
                         const store::Row& row) {
  return destroyed_key(cx, agreement_id, peer, row.id + " " + row.version);
}

std::string ReturnEntry::text() const {
  Node n = Node::object();
  n.set("ours", ours).set("agreement", agreement).set("peer", peer).set("objects", objects);
  n.set("destroyed", destroyed).set("at", to_text(at)).set("lapses", lapses ? to_text(*lapses) : "");
  n.set("state", word_of(state)).set("answered", answered ? to_text(*answered) : "");
  return json::canonical(n.set("differs", differs).set("lapsed", lapsed));
}

std::string_view ReturnEntry::word(Time now) const {
  if (lapsed && state != ReturnState::kConfirmed) return "unconfirmed";
  if (destroyed > 0) return "destroyed";
  if (ours && state != ReturnState::kConfirmed && lapses && *lapses <= now) return "overdue";
  return word_of(state);
}

Result<ReturnEntry> parse_return_entry(const std::string& id, std::string_view text) {
  TRY(const json::Document doc, json::parse(text));
  const Node n = Node::from(doc.root());
  const auto flag = [&](std::string_view name) {
    const Node* v = n.find(name);
    return v != nullptr && v->is_bool() && v->boolean();
  };
  ReturnEntry e;
  e.id = id;
  e.ours = flag("ours");
  e.agreement = n.string_at("agreement");
  e.peer = n.string_at("peer");
  e.objects = count_in(n, "objects");
  e.destroyed = count_in(n, "destroyed");
  TRY(e.at, parse_time(n.string_at("at")));
  e.lapses = time_in(n, "lapses");
  const std::string_view state = n.string_at("state");
  e.state = state == "confirmed" ? ReturnState::kConfirmed
            : state == "differs" ? ReturnState::kDiffers
                                 : ReturnState::kWaiting;
  e.answered = time_in(n, "answered");
  e.differs = count_in(n, "differs");
  e.lapsed = flag("lapsed");
  return e;
}

Result<std::vector<ReturnEntry>> returns(const store::Store& store) {
  TRY(const auto all, store.all(kReturnSpace));
  std::vector<ReturnEntry> out;
  for (const auto& [id, text] : all) {
    TRY(ReturnEntry e, parse_return_entry(id, text));
    out.push_back(std::move(e));
  }
  std::ranges::sort(out, [](const ReturnEntry& x, const ReturnEntry& y) {
    return std::pair(x.at.us, x.id) < std::pair(y.at.us, y.id);
  });
  return out;
}

bool names(const Listed& listed, const store::Row& row) {
  return listed.id == row.id && (listed.version == row.version || !row.versioned);
}

Status visit_manifests(const Context& cx, const std::string& agreement_id, const std::string& peer,
                       const std::function<Status(const store::Row&, const Manifest&)>& fn) {
  store::Query q;
  q.all = true;
  q.types = {std::string(kManifestType)};
  q.limit = 20;
  while (true) {
    TRY(const store::Page page, cx.store.page(evidence_of(agreement_id, peer, cx.config.party), q));
    if (page.rows.empty()) return {};
    q.added_after = page.rows.back().date_added;
    for (const auto& row : page.rows) {
      TRY(const std::string raw, cx.store.raw(row));
      TRY(const json::Document doc, json::parse(raw));
      if (const auto m = parse_manifest(doc.root()); m.ok()) CHECK_OK(fn(row, *m));
    }
  }
}

}  // namespace entente::exchange
