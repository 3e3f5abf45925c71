#include "exchange/feed.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "exchange/admission.h"
#include "exchange/names.h"
#include "json/json.h"

namespace entente::exchange {
namespace {

using json::Node;

constexpr std::string_view kFeed = "feed";
constexpr std::string_view kState = "feed-state";
constexpr std::string_view kRefused = "feed-refused";
constexpr int64_t kHourUs = 3'600'000'000;

bool good_name(std::string_view s) {
  return s.size() >= 3 && s.size() <= 32 &&
         std::ranges::all_of(s, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

// A name in DIR/feeds/, never a way out of it.
bool good_file(std::string_view s) {
  return s.size() <= 64 && !s.starts_with('.') && std::ranges::all_of(s, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool good_env(std::string_view s) {
  return s.size() <= 64 && s.starts_with("ENTENTE_FEED_") &&
         std::ranges::all_of(s, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

Status check(const Feed& f) {
  if (!good_name(f.name))
    return invalid("a feed's name is 3 to 32 of a-z, 0-9 and -", f.name, "two letters are a party's code");
  if (!f.url.starts_with("https://") && !f.url.starts_with("http://"))
    return invalid("a feed's address begins with https://", f.url);
  if (!f.root.starts_with('/') || f.root.starts_with("//") || !f.root.ends_with('/'))
    return invalid("an API root is a path of the server, /…/", f.root, "see 'entente taxii discover'");
  if (f.collection.empty() || f.collection.size() > 256)
    return invalid("a feed needs a collection", f.name, "see 'entente taxii collections'");
  if (!good_file(f.secret_file) || !good_file(f.ca_file))
    return invalid("a feed's files are names in the node's folder feeds/", f.secret_file + " " + f.ca_file);
  if (!f.secret_env.empty() && !good_env(f.secret_env))
    return invalid("the variable with a feed's secret is named ENTENTE_FEED_…", f.secret_env);
  if (!f.secret_file.empty() && !f.secret_env.empty())
    return invalid("the secret is in a file or in a variable, not in both", f.name);
  if (!f.user.empty() && f.secret_file.empty() && f.secret_env.empty())
    return invalid("there is a user and no password", f.user);
  if (f.user.find(':') != std::string::npos) return invalid("a user's name has no ':' (RFC 7617)", f.user);
  if (!f.pin.empty() && (f.pin.size() != 64 || !unhex(f.pin).ok())) return invalid("a pin is 64 hex digits", f.pin);
  if (f.confidence && (*f.confidence < 0 || *f.confidence > 100))
    return invalid("a confidence is between 0 and 100", f.name);
  if (f.interval_s < 1 || f.interval_s > 7 * 86'400) return invalid("the interval is 1 second to 7 days", f.name);
  if (f.page < 1 || f.page > 10'000) return invalid("a page has 1 to 10,000 objects", f.name);
  return {};
}

void set_time(Node& n, const char* name, const std::optional<Time>& t) {
  if (t) n.set(name, to_text(*t));
}

std::optional<Time> time_at(const json::Value& v, const char* name) {
  const auto text = json::find_string(v, name);
  if (!text) return std::nullopt;
  auto t = parse_time(*text);
  if (!t.ok()) return std::nullopt;
  return *t;
}

uint64_t count_at(const json::Value& v, const char* name) {
  return static_cast<uint64_t>(std::max<int64_t>(0, json::find_int(v, name).value_or(0)));
}

std::string text_of(const FeedState& s) {
  Node n = Node::object();
  set_time(n, "added_after", s.added_after);
  set_time(n, "reached", s.reached);
  set_time(n, "last_pull", s.last_pull);
  set_time(n, "last_try", s.last_try);
  n.set("next", s.next).set("taken", s.taken).set("known", s.known).set("refused", s.refused).set("marked", s.marked);
  n.set("last_error", s.last_error).set("behind", s.behind);
  return json::write(n);
}

FeedState read_state(std::string_view text) {
  FeedState s;
  const auto doc = json::parse(text);
  if (!doc.ok()) return s;
  const auto v = doc->root();
  s.added_after = time_at(v, "added_after");
  s.reached = time_at(v, "reached");
  s.last_pull = time_at(v, "last_pull");
  s.last_try = time_at(v, "last_try");
  s.next = json::find_string(v, "next").value_or("");
  s.taken = count_at(v, "taken");
  s.known = count_at(v, "known");
  s.refused = count_at(v, "refused");
  s.marked = count_at(v, "marked");
  s.last_error = json::find_string(v, "last_error").value_or("");
  s.behind = json::find_bool(v, "behind").value_or(false);
  return s;
}

std::string refusal_key(std::string_view feed, uint64_t number) {
  return std::string(feed) + "/" + std::to_string(number % Feeds::kRefusalsKept);
}

Status commit(store::Store& store, store::Change change) {
  auto r = store.commit_wait(std::move(change));
  if (!r.ok()) return std::move(r).error();
  return {};
}

// A cursor that the server knows no more: 400 by the standard's word, 404 or 410 by others, 500 by medallion.
bool cursor_refused(const Error& e) {
  constexpr std::string_view kAnswered = "the server answered ";
  if (!e.what.starts_with(kAnswered)) return false;
  const std::string_view status = std::string_view(e.what).substr(kAnswered.size(), 3);
  return status == "400" || status == "404" || status == "410" || status == "500";
}

// Which default members an object lacks. They are written into the text itself, where every reader sees them; what the
// source wrote is never replaced.
std::string with_defaults(const Feed& feed, const json::Value& object, const stix::Summary& s, std::string_view raw,
                          bool& marked) {
  std::string more;
  const auto refs = json::find_array(object, "object_marking_refs");
  if (feed.tlp && s.cls != stix::Class::kMarking && s.cls != stix::Class::kExtension && !refs) {
    more += R"("object_marking_refs":[")" + std::string(stix::tlp_id(*feed.tlp)) + "\"],";
    marked = true;
  }
  const bool rated = s.cls == stix::Class::kSdo || s.cls == stix::Class::kSro;
  if (feed.confidence && rated && s.spec_version == "2.1" && !json::find(object, "confidence"))
    more += "\"confidence\":" + std::to_string(*feed.confidence) + ",";
  if (more.empty()) return std::string(raw);
  const size_t brace = raw.find('{');
  return std::string(raw.substr(0, brace + 1)) + more + std::string(raw.substr(brace + 1));
}

}  // namespace

Node Feeds::to_node(const Feed& f) {
  Node n = Node::object();
  n.set("name", f.name).set("url", f.url).set("root", f.root).set("collection", f.collection);
  n.set("user", f.user).set("secret_file", f.secret_file).set("secret_env", f.secret_env);
  n.set("ca_file", f.ca_file).set("pin", f.pin).set("proxy", f.proxy);
  if (f.tlp) n.set("tlp", stix::to_text(*f.tlp));
  if (f.confidence) n.set("confidence", *f.confidence);
  set_time(n, "from", f.from);
  n.set("interval", f.interval_s).set("page", static_cast<uint64_t>(f.page)).set("paused", f.paused);
  return n;
}

Result<Feed> Feeds::parse(std::string_view text) {
  TRY(const json::Document doc, json::parse(text));
  const auto v = doc.root();
  if (!v.is_object()) return invalid("the body is not a JSON object");
  const auto at = [&](const char* name) { return std::string(json::find_string(v, name).value_or("")); };
  Feed f;
  f.name = at("name");
  f.url = at("url");
  while (f.url.ends_with('/')) f.url.pop_back();
  f.root = at("root");
  f.collection = at("collection");
  f.user = at("user");
  f.secret_file = at("secret_file");
  f.secret_env = at("secret_env");
  f.ca_file = at("ca_file");
  f.pin = ascii_lower(at("pin"));
  f.proxy = at("proxy");
  if (const std::string tlp = at("tlp"); !tlp.empty()) {
    f.tlp = stix::parse_tlp(tlp);
    if (!f.tlp) return invalid("there is no TLP \"" + tlp + "\"", "/tlp", "one of clear green amber amber+strict red");
  }
  if (const auto c = json::find_int(v, "confidence")) {
    if (*c < 0 || *c > 100) return invalid("a confidence is between 0 and 100", "/confidence");
    f.confidence = static_cast<int>(*c);
  }
  if (const std::string from = at("from"); !from.empty()) {
    TRY(f.from, parse_time(from));
  }
  f.interval_s = json::find_int(v, "interval").value_or(f.interval_s);
  const int64_t page = json::find_int(v, "page").value_or(static_cast<int64_t>(f.page));
  f.page = page < 1 ? 0 : static_cast<size_t>(page);
  f.paused = json::find_bool(v, "paused").value_or(false);
  CHECK_OK(check(f));
  return f;
}

Status Feeds::put(const Feed& feed) {
  CHECK_OK(check(feed));
  const std::lock_guard lock(mutex_);
  store::Change change;
  const auto before = get(feed.name);
  const bool same = before.ok() && before->url == feed.url && before->root == feed.root &&
                    before->collection == feed.collection && before->from == feed.from;
  if (!same) change.erase(kState, feed.name);
  change.set(kFeed, feed.name, json::write(to_node(feed)));
  return commit(cx_.store, std::move(change));
}

Status Feeds::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  TRY(const Feed here, get(name));
  (void)here;
  store::Change change;
  change.erase(kFeed, name);
  change.erase(kState, name);
  TRY(const auto kept, cx_.store.all(kRefused, std::string(name) + "/"));
  for (const auto& [key, _] : kept) change.erase(kRefused, key);
  return commit(cx_.store, std::move(change));
}

Status Feeds::pause(std::string_view name, bool on) {
  const std::lock_guard lock(mutex_);
  TRY(Feed feed, get(name));
  feed.paused = on;
  store::Change change;
  change.set(kFeed, name, json::write(to_node(feed)));
  return commit(cx_.store, std::move(change));
}

std::vector<Feed> Feeds::all() const {
  std::vector<Feed> out;
  const auto rows = cx_.store.all(kFeed);
  if (!rows.ok()) return out;
  for (const auto& [_, value] : *rows) {
    if (auto feed = parse(value); feed.ok()) out.push_back(*std::move(feed));
  }
  return out;
}

Result<Feed> Feeds::get(std::string_view name) const {
  auto value = cx_.store.get(kFeed, name);
  if (!value.ok())
    return make_error(ErrorKind::kNotFound, "there is no feed of this name", std::string(name),
                      "see 'entente peer list'");
  return parse(*value);
}

FeedState Feeds::state(std::string_view name) const {
  const auto value = cx_.store.get(kState, name);
  return value.ok() ? read_state(*value) : FeedState{};
}

std::vector<Refusal> Feeds::refusals(std::string_view name) const {
  std::vector<Refusal> out;
  const auto rows = cx_.store.all(kRefused, std::string(name) + "/");
  if (!rows.ok()) return out;
  for (const auto& [_, value] : *rows) {
    const auto doc = json::parse(value);
    if (!doc.ok()) continue;
    const auto v = doc->root();
    out.push_back({count_at(v, "number"), std::string(json::find_string(v, "id").value_or("")),
                   std::string(json::find_string(v, "why").value_or("")),
                   std::string(json::find_string(v, "time").value_or(""))});
  }
  std::ranges::sort(out, [](const Refusal& a, const Refusal& b) { return a.number > b.number; });
  return out;
}

Status Feeds::admit(const Feed& feed, const taxii::Fetched& page, FeedState& state, store::Change& change,
                    std::vector<Refusal>& refused) {
  RowMeta meta;
  meta.by = "feed " + feed.name;
  const std::string row_meta = meta.text();
  const std::string own = identity_id(cx_.config.party);
  std::set<std::string> in_page;
  for (const std::string_view raw : page.objects) {
    const auto doc = json::parse(raw);
    stix::Summary summary;
    std::string why;
    std::string id;
    if (!doc.ok() || !doc->root().is_object()) {
      why = "this member of \"objects\" is not an object";
    } else {
      why = why_not(doc->root(), summary);
      id = json::find_string(doc->root(), "id").value_or("");
      if (why.empty() && summary.type.starts_with("x-entente-")) why = "objects of this type are made by nodes only";
    }
    std::string text;
    std::string canonical;
    bool marked = false;
    if (why.empty()) {
      text = with_defaults(feed, doc->root(), summary, raw, marked);
      TRY(const auto have, cx_.store.find(id));
      TRY(const auto final, json::parse(text));
      canonical = json::canonical(final.root());
      const auto same_version = [&](const store::Row& r) {
        return summary.version.empty() ? !r.versioned : r.version_time == summary.version_time;
      };
      const bool elsewhere =
          std::ranges::any_of(have, [&](const store::Row& r) { return RowMeta::parse(r.meta).by != meta.by; });
      const auto version = std::ranges::find_if(have, same_version);
      if (!in_page.insert(id + "\n" + std::string(summary.version)).second) {
        ++state.known;
        continue;
      }
      if (version != have.end()) {
        // T65, T66: the same version again is no news; with other content the first stays. What others brought may
        // differ in the marks that a feed or a partner was given, so that only our own is compared.
        const auto digest = sha256(canonical);
        if (elsewhere || std::equal(version->digest.begin(), version->digest.end(), digest.begin(),
                                    [](char x, auto y) { return x == static_cast<char>(y); })) {
          ++state.known;
          continue;
        }
        why = "this version is here with other content; the first is kept";
      } else if (elsewhere) {
        // What somebody else brought is not a feed's to change or revoke.
        why = "this object came from elsewhere; a feed adds no version to it";
      } else if (have.empty() && json::find_string(doc->root(), "created_by_ref").value_or("") == own) {
        why = "the object says that this party made it, and this node never had it";
      }
    }
    if (!why.empty()) {
      if (id.size() > 200) id.resize(200);
      if (why.size() > 1000) why.resize(1000);
      // Cut at a whole character: both are UTF-8 text that is stored as JSON.
      for (std::string* s : {&id, &why}) {
        while (!s->empty() && (static_cast<unsigned char>(s->back()) & 0xC0U) == 0x80U) s->pop_back();
        if (!s->empty() && static_cast<unsigned char>(s->back()) >= 0xC0U) s->pop_back();
      }
      refused.push_back({0, std::move(id), std::move(why), {}});
      continue;
    }
    if (marked) ++state.marked;
    change.add_canonical(inbox(cx_.config.party), summary, std::move(text), row_meta, canonical);
  }
  return {};
}

Result<Feeds::Page> Feeds::pull(taxii::Client& client, const Feed& feed) {
  const std::string before = cx_.store.get(kState, feed.name).value_or(std::string());
  FeedState state = before.empty() ? FeedState{} : read_state(before);
  if (!state.reached) state.reached = feed.from;
  if (state.next.empty() && !state.behind) state.added_after = state.reached;
  TRY(const auto list, client.collections(feed.root));
  std::string collection;
  for (const auto& c : list) {
    if (c.id == feed.collection || (!c.alias.empty() && c.alias == feed.collection)) collection = c.id;
  }
  for (const auto& c : list) {
    if (collection.empty() && c.title == feed.collection) collection = c.id;
  }
  if (collection.empty())
    return make_error(ErrorKind::kNotFound, "the server has no collection \"" + feed.collection + "\" in " + feed.root,
                      feed.url, "see 'entente taxii collections'");

  taxii::Client::Get ask;
  ask.limit = feed.page;
  ask.all_versions = false;
  ask.added_after = state.added_after;
  ask.next = state.next;
  auto fetched = client.objects(feed.root, collection, ask);
  if (!fetched.ok() && !ask.next.empty() && cursor_refused(fetched.error())) {
    // What was reached is known by time as well.
    ask.next.clear();
    ask.added_after = state.added_after = state.reached;
    fetched = client.objects(feed.root, collection, ask);
  }
  if (!fetched.ok()) return fetched.error();
  const taxii::Fetched& page = **fetched;

  store::Change change;
  std::vector<Refusal> refused;
  CHECK_OK(admit(feed, page, state, change, refused));
  // T39, T82: the header of an empty page means nothing, and a server whose clock is far ahead would make us skip.
  const Time now = cx_.clock.now();
  const auto last = page.last ? page.last : page.first;  // medallion leaves Last out for a page of one
  const bool believable = last && last->us <= now.us + 24 * kHourUs;
  if (!page.objects.empty() && believable && (!state.reached || *last > *state.reached)) state.reached = last;
  state.behind = page.more;
  if (page.more && !page.next.empty()) {
    state.next = page.next;
  } else {
    state.next.clear();
    // Without a cursor pages go by time, whatever the time is worth (T80); the client has checked that it advances.
    state.added_after = page.more && page.last ? page.last : state.reached;
  }
  state.last_try = now;
  if (!page.more) state.last_pull = now;
  state.last_error.clear();
  if (!page.more && !page.objects.empty() && !believable)
    state.last_error = last ? "the server's times are ahead of ours by more than a day: each pull reads all again"
                            : "the server does not say when objects were added: each pull reads all again";
  for (Refusal& r : refused) {
    r.number = ++state.refused;
    Node n = Node::object();
    n.set("number", r.number).set("id", r.id).set("why", r.why).set("time", to_text(now));
    change.set(kRefused, refusal_key(feed.name, r.number), json::write(n));
  }
  state.taken += change.adds();
  Page out;
  out.taken = change.adds();
  out.more = page.more;
  change.expect(kState, feed.name, before);  // the place that was read at the beginning
  change.set(kState, feed.name, text_of(state));
  {
    const std::lock_guard lock(mutex_);
    if (auto here = get(feed.name); !here.ok()) return std::move(here).error();  // removed meanwhile
    CHECK_OK(commit(cx_.store, std::move(change)));
  }
  if (out.taken > 0) added_(inbox(cx_.config.party));
  return out;
}

void Feeds::failed(const Feed& feed, const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!get(feed.name).ok()) return;
  FeedState s = state(feed.name);
  const std::string text = error.text();
  s.last_try = cx_.clock.now();
  if (s.last_error == text) return;  // the log need not hold the same failure again and again
  s.last_error = text;
  store::Change change;
  change.set(kState, feed.name, text_of(s));
  (void)commit(cx_.store, std::move(change));
}

}  // namespace entente::exchange
