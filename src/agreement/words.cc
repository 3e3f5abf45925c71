#include "agreement/words.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"

namespace entente::agreement {
namespace {

using json::Node;

// Label -> English, Japanese, Hindi.
using Words = std::array<const char*, 3>;
const std::map<std::string_view, Words>& labels() {
  static const std::map<std::string_view, Words> kLabels = {
      {"version", {"version", "版", "संस्करण"}},
      {"hash", {"hash", "ハッシュ値", "हैश"}},
      {"level", {"level", "種別", "स्तर"}},
      {"project", {"project", "プロジェクト", "परियोजना"}},
      {"bilateral", {"bilateral", "二者間", "द्विपक्षीय"}},
      {"group", {"group", "多者間", "समूह"}},
      {"initiative", {"initiative", "イニシアチブ", "पहल"}},
      {"texts", {"Authentic texts", "正文", "प्रामाणिक पाठ"}},
      {"language", {"language", "言語", "भाषा"}},
      {"authentic", {"authentic", "正文", "प्रामाणिक"}},
      {"prevails", {"prevails", "優先", "अभिभावी"}},
      {"parties", {"Parties", "当事者", "पक्ष"}},
      {"party", {"party", "当事者", "पक्ष"}},
      {"name", {"name", "名称", "नाम"}},
      {"keys", {"keys", "鍵", "कुंजियाँ"}},
      {"tls", {"TLS keys", "TLS鍵", "TLS कुंजियाँ"}},
      {"flows", {"What flows", "情報の流れ", "सूचना का प्रवाह"}},
      {"article", {"article", "条", "अनुच्छेद"}},
      {"flow", {"flow", "流れ", "प्रवाह"}},
      {"effect", {"effect", "効果", "प्रभाव"}},
      {"permit", {"permit", "許可", "अनुमति"}},
      {"forbid", {"forbid", "禁止", "निषेध"}},
      {"from", {"from", "提供元", "प्रेषक"}},
      {"to", {"to", "提供先", "प्राप्तकर्ता"}},
      {"types", {"types", "種類", "प्रकार"}},
      {"sectors", {"sectors", "分野", "क्षेत्र"}},
      {"floor", {"handled at least as", "最低取扱区分", "न्यूनतम संचालन"}},
      {"ceiling", {"at most marked", "上限区分", "अधिकतम अंकन"}},
      {"unmarked", {"unmarked counts as", "無表示の扱い", "अचिह्नित माना जाए"}},
      {"withhold", {"withhold", "提供しない", "न दें"}},
      {"protected", {"What is protected", "保護", "संरक्षण"}},
      {"protection", {"protection", "保護", "संरक्षण"}},
      {"method", {"method", "方法", "विधि"}},
      {"keeps", {"keeps", "残す項目", "रखा जाता है"}},
      {"actions", {"What the receiver may do", "受領者に許される措置", "प्राप्तकर्ता क्या कर सकता है"}},
      {"block", {"block by machine", "自動遮断", "मशीन द्वारा रोक"}},
      {"confidence", {"confidence at least", "最低確度", "न्यूनतम विश्वास"}},
      {"days", {"days at most", "最長日数", "अधिकतम दिन"}},
      {"never", {"never", "禁止行為", "कभी नहीं"}},
      {"yes", {"yes", "はい", "हाँ"}},
      {"no", {"no", "いいえ", "नहीं"}},
      {"duration", {"Start and end", "発効と終了", "आरंभ और समाप्ति"}},
      {"start", {"start", "発効", "आरंभ"}},
      {"term", {"term", "有効期間", "अवधि"}},
      {"renewal", {"renewal", "更新", "नवीनीकरण"}},
      {"withdrawal", {"notice of withdrawal", "脱退予告", "वापसी की सूचना"}},
      {"survives", {"articles that survive", "存続する条", "जो अनुच्छेद बने रहते हैं"}},
      {"without end", {"without end", "無期限", "बिना समाप्ति"}},
      {"tacit", {"tacit", "自動更新", "स्वतः"}},
      {"none", {"none", "なし", "कोई नहीं"}},
      {"rule", {"rule", "規則", "नियम"}},
      {"value", {"value", "内容", "मान"}},
      {"signing", {"Who signs which act", "署名権者", "कौन किस कार्य पर हस्ताक्षर करता है"}},
      {"act", {"act", "行為", "कार्य"}},
      {"signatures", {"signatures", "署名", "हस्ताक्षर"}},
      {"plenipotentiary", {"plenipotentiary", "全権委員", "पूर्णाधिकारी"}},
      {"authority", {"authority", "主管当局", "प्राधिकारी"}},
      {"articles", {"Articles", "各条", "अनुच्छेद"}},
      {"title", {"title", "表題", "शीर्षक"}},
      {"machine", {"by machine", "機械による扱い", "मशीन द्वारा"}},
      {"enforced", {"enforced", "強制", "लागू"}},
      {"evidenced", {"evidenced", "記録", "प्रमाणित"}},
      {"human", {"for people", "人が行う", "मनुष्यों के लिए"}},
      {"rules", {"rules that rest on it", "根拠とする規則", "इस पर आधारित नियम"}},
      {"projects", {"Projects", "プロジェクト", "परियोजनाएँ"}},
      {"host", {"host", "受入国", "मेज़बान"}},
      {"participants", {"participants", "参加者", "प्रतिभागी"}},
      {"until", {"until", "期限", "तक"}},
      {"any", {"any", "すべて", "कोई भी"}},
  };
  return kLabels;
}

class Say {
 public:
  explicit Say(Language l) : index_(static_cast<size_t>(l)) {}
  // The label, or what the document says itself where there is none.
  std::string operator()(std::string_view word) const {
    const auto it = labels().find(word);
    return it == labels().end() ? std::string(word) : it->second[index_];
  }
  std::vector<std::string> row(std::initializer_list<std::string_view> words) const {
    std::vector<std::string> out;
    for (const auto w : words) out.push_back((*this)(w));
    return out;
  }
  std::string list(const std::vector<std::string>& items) const {
    if (items.size() == 1 && items.front() == "*") return (*this)("any");
    return fmt::format("{}", fmt::join(items, ", "));
  }

 private:
  size_t index_;
};

std::string localized(const Node* map, Language l, const std::string& otherwise) {
  static constexpr std::array<const char*, 3> kTags = {"en", "ja", "hi"};
  if (map == nullptr || !map->is_object()) return otherwise;
  const auto text = map->string_at(kTags[static_cast<size_t>(l)]);
  return text.empty() ? otherwise : std::string(text);
}

std::string own_text(const Node& n, std::string_view a, std::string_view b) {
  const Node* x = n.find(a);
  return x == nullptr ? "" : std::string(x->string_at(b));
}

std::string marked(const std::optional<Tlp>& t) { return t ? std::string(to_text(*t)) : "withhold"; }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string quorum_text(const std::map<std::string, int>& roles, const Say& say) {
  std::string out;
  for (const auto& [role, n] : roles) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, say(role));
  return out;
}

int people(const std::map<std::string, int>& roles) {
  int n = 0;
  for (const auto& [role, count] : roles) n += count;
  return n;
}

// ---- changes

class Compare {
 public:
  explicit Compare(std::vector<Change>& out) : out_(out) {}
  void neither(std::string s) { out_.push_back({std::move(s), false, false}); }
  void wider(std::string s) { out_.push_back({std::move(s), true, false}); }
  void narrower(std::string s) { out_.push_back({std::move(s), false, true}); }
  void either(bool is_wider, std::string s) { is_wider ? wider(std::move(s)) : narrower(std::move(s)); }

  // `more_is_wider`: an added item lets more through.
  void lists(const std::string& what, const std::vector<std::string>& a, const std::vector<std::string>& b,
             bool more_is_wider) {
    const std::set<std::string> x(a.begin(), a.end());
    const std::set<std::string> y(b.begin(), b.end());
    if (x == y) return;
    std::vector<std::string> added;
    std::vector<std::string> gone;
    std::set_difference(y.begin(), y.end(), x.begin(), x.end(), std::back_inserter(added));
    std::set_difference(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(gone));
    if (!added.empty() && !gone.empty() && !y.contains("*") && !x.contains("*"))
      neither(fmt::format("{}: {} added, {} taken out", what, fmt::join(added, ", "), fmt::join(gone, ", ")));
    else if (y.contains("*") || (!added.empty() && !x.contains("*")))
      either(more_is_wider, fmt::format("{}: {} added", what, fmt::join(added, ", ")));
    else
      either(!more_is_wider, x.contains("*") ? fmt::format("{}: only {}", what, fmt::join(added, ", "))
                                             : fmt::format("{}: {} taken out", what, fmt::join(gone, ", ")));
  }
  void tlp(const std::string& what, const std::optional<Tlp>& a, const std::optional<Tlp>& b, bool stricter_is_wider) {
    if (a == b) return;
    const std::string s = fmt::format("{}: {} becomes {}", what, marked(a), marked(b));
    if (!a || !b) return either(b.has_value(), s);  // withheld before or after
    either((*b > *a) == stricter_is_wider, s);
  }
  void number(const std::string& what, int64_t a, int64_t b, bool more_is_wider) {
    if (a != b) either((b > a) == more_is_wider, fmt::format("{}: {} becomes {}", what, a, b));
  }
  void text(const std::string& what, const std::string& a, const std::string& b) {
    if (a != b)
      neither(fmt::format("{}: {} becomes {}", what, a.empty() ? "(nothing)" : a, b.empty() ? "(nothing)" : b));
  }

 private:
  std::vector<Change>& out_;
};

void compare_flow(Compare& c, const Flow& a, const Flow& b) {
  const std::string f = fmt::format("flow {} (article {})", b.id, b.art);
  if (a.permit != b.permit)
    return c.either(b.permit, fmt::format("{}: {} now", f, b.permit ? "permitted" : "forbidden"));
  c.text(f + " rests on article", a.art, b.art);
  c.lists(f + ", from", a.from, b.from, b.permit);
  c.lists(f + ", to", a.to, b.to, b.permit);
  c.lists(f + ", types", a.object_types, b.object_types, b.permit);
  c.lists(f + ", sectors", a.sectors, b.sectors, b.permit);
  if (!b.permit) return;
  c.tlp(f + ", what is marked at most", a.ceiling, b.ceiling, true);
  c.tlp(f + ", handled by the receiver at least as", a.floor, b.floor, false);
  c.tlp(f + ", what is not marked counts as", a.unmarked, b.unmarked, false);
}

void compare_actions(Compare& c, const Actions& a, const Actions& b) {
  if (a.block_allowed != b.block_allowed)
    c.either(b.block_allowed, b.block_allowed ? "a machine may block" : "no machine may block");
  c.number("a block needs confidence", a.min_confidence, b.min_confidence, false);
  c.number("a block lasts at most, in days", a.max_block_days, b.max_block_days, true);
  if (a.block_pap != b.block_pap)
    c.either(b.block_pap > a.block_pap,
             fmt::format("a block needs PAP:{}; it was PAP:{}", to_text(b.block_pap), to_text(a.block_pap)));
  if (a.default_pap != b.default_pap)
    c.either(b.default_pap < a.default_pap, fmt::format("what says no PAP counts as PAP:{}; it was PAP:{}",
                                                        to_text(b.default_pap), to_text(a.default_pap)));
  c.lists("what a machine never does", a.never, b.never, false);
  const auto any = [](const std::vector<std::string>& l) { return l.empty() ? std::vector<std::string>{"*"} : l; };
  c.lists("indicator types that may be blocked", any(a.indicator_types), any(b.indicator_types), true);
}

void compare_protections(Compare& c, const Document& a, const Document& b) {
  const auto find = [](const Document& d, const std::string& id) -> const Protection* {
    for (const auto& p : d.protections)
      if (p.id == id) return &p;
    return nullptr;
  };
  for (const auto& p : b.protections) {
    const Protection* old = find(a, p.id);
    const std::string name = fmt::format("protection {} (article {})", p.id, p.art);
    if (old == nullptr) {
      c.narrower(fmt::format("{} is new: {}", name, p.method));
      continue;
    }
    c.text(name + " rests on article", old->art, p.art);
    c.text(name + ", method", old->method, p.method);
    c.lists(name + ", keeps", old->keep, p.keep, true);
    if (json::canonical_node(old->match) != json::canonical_node(p.match)) c.neither(name + " protects something else");
    c.text(name + ", unless", old->unless, p.unless);
  }
  for (const auto& p : a.protections)
    if (find(b, p.id) == nullptr) c.wider(fmt::format("protection {} (article {}) is gone", p.id, p.art));
}

void compare_parties(Compare& c, const Document& a, const Document& b) {
  for (const auto& p : b.parties) {
    const Party* old = a.party(p.party);
    if (old == nullptr) {
      c.wider(fmt::format("{} ({}) becomes a party", p.party, p.name));
      continue;
    }
    std::map<std::string, std::string> x;
    std::map<std::string, std::string> y;
    for (const auto& k : old->keys)
      x[k.kid] = k.public_hex + to_text(k.not_before) + to_text(k.not_after) + k.custodian;
    for (const auto& k : p.keys) y[k.kid] = k.public_hex + to_text(k.not_before) + to_text(k.not_after) + k.custodian;
    for (const auto& [kid, key] : y) {
      if (!x.contains(kid))
        c.neither(fmt::format("{} gets the key {}", p.party, kid));
      else if (x[kid] != key)
        c.neither(fmt::format("the key {} changes: compare the fingerprint", kid));
    }
    for (const auto& [kid, key] : x)
      if (!y.contains(kid)) c.neither(fmt::format("{} loses the key {}", p.party, kid));
    c.text(fmt::format("the name of {}", p.party), old->name, p.name);
  }
  for (const auto& p : a.parties)
    if (b.party(p.party) == nullptr) c.narrower(fmt::format("{} is no party any more", p.party));
}

// What the sentences above do not cover is named by its place, so that nothing changes unseen.
void compare_rest(Compare& c, const Node& a, const Node& b, const std::string& at) {
  if (a == b) return;
  if (a.is_object() && b.is_object()) {
    std::set<std::string> names;
    for (const auto& [k, v] : a.members()) names.insert(k);
    for (const auto& [k, v] : b.members()) names.insert(k);
    for (const auto& k : names) {
      const Node* x = a.find(k);
      const Node* y = b.find(k);
      if (x == nullptr)
        c.neither(fmt::format("{}/{} is new: {}", at, k, printable(json::write(*y))));
      else if (y == nullptr)
        c.neither(fmt::format("{}/{} is gone; it was {}", at, k, printable(json::write(*x))));
      else
        compare_rest(c, *x, *y, at + "/" + k);
    }
    return;
  }
  if (a.is_array() && b.is_array() && a.list().size() == b.list().size()) {
    for (size_t i = 0; i < a.list().size(); ++i) compare_rest(c, a.list()[i], b.list()[i], fmt::format("{}/{}", at, i));
    return;
  }
  c.neither(fmt::format("{}: {} becomes {}", at, printable(json::write(a)), printable(json::write(b))));
}

// A list as an object by the name of its items, so that an insertion shifts nothing; without the members that are
// compared elsewhere. `id` empty: the node is an object already.
Node keyed(const Node* list, std::string_view id, std::initializer_list<std::string_view> said) {
  Node out = Node::object();
  if (list == nullptr) return out;
  const auto rest = [&](const Node& whole) {
    Node n = whole;
    for (const auto name : said) n.erase(name);
    return n;
  };
  if (id.empty()) return list->is_object() ? rest(*list) : out;
  if (list->is_array())
    for (const Node& x : list->list())
      if (x.is_object()) out.set(x.string_at(id), rest(x));
  return out;
}

}  // namespace

std::optional<Language> parse_language(std::string_view text) {
  if (text == "en") return Language::kEnglish;
  if (text == "ja") return Language::kJapanese;
  if (text == "hi") return Language::kHindi;
  return std::nullopt;
}

std::vector<Coverage> coverage(const Document& doc) {
  std::map<std::string, std::vector<std::string>> rules;
  const auto base = [](std::string_view art) { return std::string(art.substr(0, art.find('('))); };
  for (const auto& f : doc.flows)
    rules[base(f.art)].push_back(fmt::format("{} {} ({})", f.permit ? "flow" : "forbid", f.id, f.art));
  for (const auto& p : doc.protections) rules[base(p.art)].push_back(fmt::format("protection {} ({})", p.id, p.art));
  for (const char* part : {"scope", "actions", "originator_control", "retention", "reciprocity", "joint_response",
                           "supply_chain", "duration", "amendment", "accession", "differences"})
    if (const std::string art = own_text(doc.node, part, "art"); !art.empty())
      rules[base(art)].push_back(fmt::format("{} ({})", part, art));
  if (const Node* list = doc.node.find("service_levels"); list != nullptr && list->is_array())
    for (const Node& s : list->list())
      rules[base(s.string_at("art"))].push_back(fmt::format("duty {} ({})", s.string_at("id"), s.string_at("art")));
  std::string third;
  if (const Node* o = doc.node.find("originator_control"); o != nullptr && o->is_object())
    if (const Node* list = o->find("third_party_states"); list != nullptr && list->is_array())
      for (const Node& n : list->list()) third += (third.empty() ? "" : ", ") + std::string(n.string());
  std::vector<Coverage> out;
  const Node* articles = doc.node.find("articles");
  for (const Node& a : articles == nullptr ? Node::List{} : articles->list()) {
    Coverage c;
    c.art = std::string(a.string_at("art"));
    c.title = std::string(a.string_at("title"));
    c.machine = std::string(a.string_at("machine"));
    c.rules = rules[c.art];
    if (c.machine == "enforced" && c.rules.empty())
      c.remark = "enforced by what every node does; no rule of this document rests on it";
    if (c.machine == "evidenced") c.remark = "the ledgers show what was done; no machine stops it";
    if (c.machine == "human") c.remark = "for people: the machine knows nothing of it";
    if (!third.empty() && c.art == base(own_text(doc.node, "originator_control", "art")))
      c.remark +=
          fmt::format("{}third_party_states ({}) is for people: a consent is asked for each release all the same",
                      c.remark.empty() ? "" : "; ", third);
    out.push_back(std::move(c));
  }
  return out;
}

Page describe(const Document& doc, Language language) {
  const Say say(language);
  Page page;
  page.title = localized(doc.node.find("title"), language, doc.title);
  static constexpr std::array<const char*, 4> kLevels = {"project", "bilateral", "group", "initiative"};
  page.lines = {doc.agreement_id,
                fmt::format("{} {}, {}", say("version"), doc.version, say(kLevels[static_cast<size_t>(doc.level)])),
                fmt::format("{} {}", say("hash"), doc.hash)};
  PageTable t{say("texts"), say.row({"language", "authentic", "prevails", "hash"}), {}};
  if (const Node* texts = doc.node.find("authentic_texts"); texts != nullptr)
    for (const Node& x : texts->list()) {
      const auto flag = [&](const char* name) {
        const Node* v = x.find(name);
        return say(v != nullptr && v->is_bool() && v->boolean() ? "yes" : "no");
      };
      t.rows.push_back(
          {std::string(x.string_at("lang")), flag("authentic"), flag("prevails"), std::string(x.string_at("sha256"))});
    }
  page.tables.push_back(std::move(t));
  t = {say("parties"), say.row({"party", "name", "keys", "tls"}), {}};
  const Node* parties = doc.node.find("parties");
  for (const auto& p : doc.parties) {
    const Node* names = nullptr;
    for (const Node& n : parties == nullptr ? Node::List{} : parties->list())
      if (n.string_at("party") == p.party) {
        const std::string name = localized(n.find("name"), language, p.name);
        t.rows.push_back({p.party, name, std::to_string(p.keys.size()), std::to_string(p.tls_spki_sha256.size())});
        names = &n;
        break;
      }
    if (names == nullptr) t.rows.push_back({p.party, p.name, std::to_string(p.keys.size()), ""});
  }
  page.tables.push_back(std::move(t));
  t = {say("flows"),
       say.row({"article", "flow", "effect", "from", "to", "types", "sectors", "floor", "ceiling", "unmarked"}),
       {}};
  for (const auto& f : doc.flows)
    t.rows.push_back({f.art, f.id, say(f.permit ? "permit" : "forbid"), say.list(f.from), say.list(f.to),
                      say.list(f.object_types), say.list(f.sectors), f.permit ? std::string(to_text(f.floor)) : "",
                      f.permit ? std::string(to_text(f.ceiling)) : "", f.permit ? say(marked(f.unmarked)) : ""});
  page.tables.push_back(std::move(t));
  t = {say("protected"), say.row({"article", "protection", "method", "keeps"}), {}};
  for (const auto& p : doc.protections) t.rows.push_back({p.art, p.id, p.method, say.list(p.keep)});
  page.tables.push_back(std::move(t));
  const Actions& a = doc.actions;
  t = {say("actions"), say.row({"article", "block", "confidence", "days", "never"}), {}};
  t.rows.push_back({a.art, say(a.block_allowed ? "yes" : "no"), std::to_string(a.min_confidence),
                    std::to_string(a.max_block_days), say.list(a.never)});
  page.tables.push_back(std::move(t));
  t = {say("duration"), say.row({"rule", "value"}), {}};
  const Node* duration = doc.node.find("duration");
  const auto text_of = [&](const char* part, const char* name) {
    return duration == nullptr ? std::string() : own_text(*duration, part, name);
  };
  t.rows.push_back({say("start"),
                    fmt::format("{}{} {}", doc.start_rule, doc.start_n > 0 ? fmt::format(" (n = {})", doc.start_n) : "",
                                text_of("start", "delay"))});
  t.rows.push_back(
      {say("term"), doc.term && duration != nullptr ? std::string(duration->string_at("term")) : say("without end")});
  t.rows.push_back({say("renewal"), doc.tacit_renewal
                                        ? fmt::format("{}, {}", say("tacit"), text_of("renewal", "period"))
                                        : say("none")});
  t.rows.push_back({say("withdrawal"), text_of("withdrawal", "notice")});
  t.rows.push_back({say("survives"), say.list(doc.survives)});
  page.tables.push_back(std::move(t));
  t = {say("signing"), say.row({"act", "signatures"}), {}};
  for (const auto& [act, roles] : doc.quorum) t.rows.push_back({act, quorum_text(roles, say)});
  page.tables.push_back(std::move(t));
  if (const Node* projects = doc.node.find("projects");
      projects != nullptr && projects->is_array() && !projects->list().empty()) {
    t = {say("projects"), say.row({"project", "title", "host", "participants", "ceiling", "until"}), {}};
    for (const Node& p : projects->list()) {
      std::vector<std::string> codes;
      if (const Node* list = p.find("participants"); list != nullptr && list->is_array())
        for (const Node& x : list->list())
          if (x.is_string()) codes.push_back(x.string());
      t.rows.push_back({std::string(p.string_at("project_id")), std::string(p.string_at("title")),
                        std::string(p.string_at("host")), say.list(codes), std::string(p.string_at("tlp_ceiling")),
                        std::string(p.string_at("not_after"))});
    }
    page.tables.push_back(std::move(t));
  }
  t = {say("articles"), say.row({"article", "title", "machine", "rules"}), {}};
  for (const auto& c : coverage(doc)) t.rows.push_back({c.art, c.title, say(c.machine), say.list(c.rules)});
  page.tables.push_back(std::move(t));
  return page;
}

std::string to_html(const Page& page, Language language) {
  static constexpr std::array<const char*, 3> kTags = {"en", "ja", "hi"};
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<title>{}</title>\n<style>\nbody {{ font: 16px/1.5 sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 "
      "1rem; }}\n"
      "table {{ border-collapse: collapse; width: 100%; }}\nth, td {{ border: 1px solid #999; padding: .25rem .5rem; "
      "text-align: left; vertical-align: top; overflow-wrap: anywhere; }}\nth {{ background: #eee; }}\n"
      "</style>\n</head>\n<body>\n<h1>{}</h1>\n<p>",
      kTags[static_cast<size_t>(language)], escaped(page.title), escaped(page.title));
  for (size_t i = 0; i < page.lines.size(); ++i) out += (i > 0 ? "<br>\n" : "") + escaped(page.lines[i]);
  out += "</p>\n";
  for (const auto& t : page.tables) {
    out += fmt::format("<h2>{}</h2>\n<table>\n<tr>", escaped(t.heading));
    for (const auto& c : t.columns) out += fmt::format("<th scope=\"col\">{}</th>", escaped(c));
    out += "</tr>\n";
    for (const auto& r : t.rows) {
      out += "<tr>";
      for (const auto& cell : r) out += fmt::format("<td>{}</td>", escaped(cell));
      out += "</tr>\n";
    }
    out += "</table>\n";
  }
  return out + "</body>\n</html>\n";
}

std::vector<Change> changes(const Document& a, const Document& b) {
  std::vector<Change> out;
  Compare c(out);
  if (a.agreement_id != b.agreement_id) c.neither("this is another agreement, not another version of the same");
  compare_parties(c, a, b);
  const auto find = [](const Document& d, const std::string& id) -> const Flow* {
    for (const auto& f : d.flows)
      if (f.id == id) return &f;
    return nullptr;
  };
  for (const auto& f : b.flows) {
    if (const Flow* old = find(a, f.id))
      compare_flow(c, *old, f);
    else
      c.either(f.permit, fmt::format("flow {} (article {}) is new: it {} {} from {} to {}", f.id, f.art,
                                     f.permit ? "permits" : "forbids", fmt::join(f.object_types, ", "),
                                     fmt::join(f.from, ", "), fmt::join(f.to, ", ")));
  }
  for (const auto& f : a.flows)
    if (find(b, f.id) == nullptr)
      c.either(!f.permit, fmt::format("flow {} (article {}) is gone: it {} {}", f.id, f.art,
                                      f.permit ? "permitted" : "forbade", fmt::join(f.object_types, ", ")));
  compare_protections(c, a, b);
  compare_actions(c, a.actions, b.actions);
  const Say say(Language::kEnglish);
  std::set<std::string> acts;
  for (const auto& [act, roles] : a.quorum) acts.insert(act);
  for (const auto& [act, roles] : b.quorum) acts.insert(act);
  for (const auto& act : acts) {
    const auto x = a.quorum.find(act);
    const auto y = b.quorum.find(act);
    const std::string was = x == a.quorum.end() ? "the usual" : quorum_text(x->second, say);
    const std::string is = y == b.quorum.end() ? "the usual" : quorum_text(y->second, say);
    if (was == is) continue;
    const std::string s = fmt::format("the act {} is signed by {}; it was {}", act, is, was);
    if (act == "narrow" || x == a.quorum.end() || y == b.quorum.end() || people(x->second) == people(y->second))
      c.neither(s);
    else
      c.either(people(y->second) < people(x->second), s);
  }
  // The rest by place; what was said above is left out.
  Node left = a.node;
  Node right = b.node;
  for (const char* part : {"version", "prev", "parties", "flows", "protection", "actions", "signing"}) {
    left.erase(part);
    right.erase(part);
  }
  compare_rest(c, left, right, "");
  // What no sentence above covers, by place: nothing changes unseen.
  const auto rest = [&](const char* part, std::string_view id, std::initializer_list<std::string_view> said) {
    Node x = keyed(a.node.find(part), id, said);
    Node y = keyed(b.node.find(part), id, said);
    for (Node* n : {&x, &y})
      if (Node* block = n->find("auto_block_requires"); block != nullptr && block->is_object())
        for (const char* name : {"min_confidence", "max_block_days", "indicator_type"}) block->erase(name);
    if (!id.empty()) {  // what came or went whole is said above
      std::erase_if(x.members(), [&](const auto& m) { return y.find(m.first) == nullptr; });
      std::erase_if(y.members(), [&](const auto& m) { return x.find(m.first) == nullptr; });
    }
    compare_rest(c, x, y, std::string("/") + part);
  };
  rest("parties", "party", {"keys", "name"});
  rest("protection", "id", {"art", "match", "method", "keep", "unless"});
  rest("actions", "", {"default_pap", "never"});
  rest("signing", "", {"act"});
  return out;
}

}  // namespace entente::agreement
