#include "node/duty_api.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "exchange/duties.h"
#include "exchange/score.h"
#include "json/json.h"
#include "node/internal/answers.h"

namespace entente::node {

using agreement::Duty;
using agreement::DutyState;
using json::Node;

namespace {

// "IN=12,JP=14": how many entries of each ledger, as the other end named them.
Status read_entries(const std::string& text, exchange::Between& b) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const size_t equals = one.find('=');
    const std::string_view party = one.substr(0, equals);
    const std::string_view number = equals == std::string_view::npos ? "" : one.substr(equals + 1);
    uint64_t n = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), n);
    if (number.empty() || read.ptr != number.data() + number.size() || (party != b.a && party != b.b))
      return invalid("entries are given as " + b.a + "=N," + b.b + "=N", "?entries");
    (party == b.a ? b.a_entries : b.b_entries) = n;
  }
  return {};
}

// For each agreement and partner that the query names (all, if it names none).
Result<Node> each_sheet(
    exchange::Exchange& ex, const net::Request& request,
    const std::function<Result<Node>(const agreement::State&, const std::string& peer, exchange::Between)>& sheet) {
  const std::string& me = ex.context().config.party;
  const std::string partner = query_value(request, "partner");
  std::string id = query_value(request, "agreement");
  if (!id.empty() && !id.starts_with("urn:uuid:")) id = "urn:uuid:" + id;
  Node list = Node::array();
  for (const auto& s : ex.instruments().states()) {
    if (!id.empty() && s->agreement_id != id) continue;
    if (s->document->party(me) == nullptr) continue;
    for (const auto& p : s->document->parties) {
      if (p.party == me || (!partner.empty() && p.party != partner) || !s->recallable(me, p.party)) continue;
      auto between =
          exchange::between_now(ex.context(), s->agreement_id, p.party, exchange::score_window(*s, me, p.party));
      CHECK_OK(read_entries(query_value(request, "entries"), between));
      if (const auto until = query_value(request, "until"); !until.empty()) {
        TRY(between.until, parse_time(until));
      }
      if (const auto since = query_value(request, "since"); !since.empty()) {
        TRY(between.since, parse_time(since));
      }
      TRY(Node one, sheet(*s, p.party, between));
      list.push(std::move(one));
    }
  }
  if (list.list().empty() && !(partner.empty() && id.empty()))
    return make_error(ErrorKind::kNotFound, "no agreement was ever in force with that partner", partner + " " + id,
                      "see 'entente agreement state'");
  return Node::object().set("me", me).set("sheets", std::move(list));
}

}  // namespace

Result<Node> duty_sheets(exchange::Exchange& ex, const net::Request& request) {
  const bool all = query_value(request, "all") == "1";
  return each_sheet(
      ex, request,
      [&](const agreement::State& state, const std::string& peer, const exchange::Between& between) -> Result<Node> {
        TRY(const auto sheet, exchange::duty_sheet(ex.context(), ex.instruments(), between));
        TRY(const auto waiting, exchange::waiting_duties(ex.context(), state, peer, between.until));
        Node list = Node::array();
        uint64_t met = 0, late = 0;
        for (const Duty& d : sheet.duties) {
          met += d.state == DutyState::kMet ? 1 : 0;
          late += d.state == DutyState::kLate ? 1 : 0;
          if (all || !d.met) list.push(exchange::duty_node(d));
        }
        Node ours = Node::array();
        for (const Duty& d : waiting) ours.push(exchange::duty_node(d));
        Node others = Node::array();
        for (const auto& level : sheet.not_clocked) others.push(level);
        Node n = exchange::between_node(between);
        n.set("partner", peer).set("sha256", sha256_hex(sheet.text())).set("met", met).set("late", late);
        return n.set("duties", std::move(list)).set("waiting", std::move(ours)).set("not_clocked", std::move(others));
      });
}

Result<Node> score_sheets(exchange::Exchange& ex, const net::Request& request) {
  return each_sheet(
      ex, request,
      [&](const agreement::State&, const std::string& peer, const exchange::Between& between) -> Result<Node> {
        TRY(const auto s, exchange::score(ex.context(), ex.instruments(), between));
        const std::string text = s.text();
        TRY(const json::Document doc, json::parse(text));
        Node n = Node::object();
        n.set("partner", peer).set("sha256", sha256_hex(text)).set("sheet", Node::from(doc.root()));
        // What the partner cannot know, and so is in no common sheet.
        uint64_t withheld = 0;
        Node reasons = Node::object();
        const auto counts = ex.releaser().counts();
        if (const auto c = counts.find({between.agreement, peer}); c != counts.end()) {
          withheld = c->second.withheld;
          for (const auto& [code, count] : c->second.reasons) reasons.set(code, count);
        }
        return n.set("own", Node::object().set("withheld", withheld).set("reasons", std::move(reasons)));
      });
}

Node duty_counts(exchange::Exchange& ex) {
  Node list = Node::array();
  for (const auto& c : ex.duties().counts()) {
    Node one = Node::object();
    one.set("agreement_id", c.agreement).set("partner", c.peer).set("overdue", c.ours_overdue);
    list.push(one.set("partner_overdue", c.theirs_overdue).set("soon", c.ours_soon));
  }
  return list;
}

}  // namespace entente::node
