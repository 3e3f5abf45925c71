#include "exchange/directory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "json/node.h"

namespace entente::exchange {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 7> kRoles = {{{Role::kAnalyst, "analyst"},
                                                                      {Role::kPublisher, "publisher"},
                                                                      {Role::kReleaseOfficer, "release-officer"},
                                                                      {Role::kLiaison, "liaison"},
                                                                      {Role::kSensor, "sensor"},
                                                                      {Role::kAuditor, "auditor"},
                                                                      {Role::kAdmin, "admin"}}};
constexpr int64_t kCacheUs = 300'000'000;
constexpr size_t kCacheMax = 10'000;

Error not_known() {
  return make_error(ErrorKind::kUnauthenticated, "not logged in, or the account, password or token is not valid", {},
                    "send Authorization: Bearer TOKEN, or Basic with an account of this node");
}

Status good_name(std::string_view name) {
  const bool ok = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '@';
  });
  if (!ok) return invalid("a name is 1 to 64 letters, digits and - _ . @", std::string(name));
  return {};
}

Status commit(store::Store& store, store::Change change) {
  auto r = store.commit_wait(std::move(change));
  if (!r.ok()) return std::move(r).error();
  return {};
}

}  // namespace

std::string_view to_text(Role role) {
  for (const auto& [r, text] : kRoles) {
    if (r == role) return text;
  }
  return "analyst";
}

std::optional<Role> parse_role(std::string_view text) {
  for (const auto& [r, t] : kRoles) {
    if (t == text) return r;
  }
  return std::nullopt;
}

std::string to_text(const Scope& scope) {
  if (!scope.read_only && scope.collections.empty()) return {};
  std::string out = scope.read_only ? "read-only" : "read-write";
  for (const auto& c : scope.collections) out += " " + c;
  return out;
}

Scope parse_scope(std::string_view text) {
  Scope out;
  out.read_only = text.substr(0, text.find(' ')) == "read-only";
  for (size_t space = text.find(' '); space != text.npos;) {
    text.remove_prefix(space + 1);
    space = text.find(' ');
    out.collections.emplace_back(text.substr(0, space));
  }
  return out;
}

Directory::Directory(Context& context) : cx_(context), cache_key_(random_bytes(32)) {}

Status Directory::add_account(std::string_view name, Role role, std::string_view password) {
  CHECK_OK(good_name(name));
  if (password.size() < 12)
    return invalid("the password is shorter than 12 characters", std::string(name), "choose a longer one");
  json::Node n = json::Node::object();
  n.set("role", to_text(role)).set("hash", hash_password(password));
  store::Change change;
  change.set("account", name, json::write(n));
  const std::lock_guard lock(mutex_);
  const Status done = commit(cx_.store, std::move(change));
  ++revocations_;
  verified_.clear();
  return done;
}

Status Directory::remove_account(std::string_view name) {
  if (!cx_.store.get("account", name).ok())
    return make_error(ErrorKind::kNotFound, "there is no account of this name", std::string(name));
  store::Change change;
  change.erase("account", name);
  const std::lock_guard lock(mutex_);
  const Status done = commit(cx_.store, std::move(change));
  ++revocations_;
  verified_.clear();
  return done;
}

std::vector<Person> Directory::accounts() const {
  std::vector<Person> out;
  auto all = cx_.store.all("account");
  if (!all.ok()) return out;
  for (const auto& [name, value] : *all) {
    auto doc = json::parse(value);
    if (doc.ok())
      out.push_back({name, parse_role(json::find_string(doc->root(), "role").value_or("")).value_or(Role::kAnalyst)});
  }
  return out;
}

Result<std::string> Directory::new_token(std::string_view name, Role role, int days, std::string given,
                                         const Scope& scope) {
  CHECK_OK(good_name(name));
  for (const auto& c : scope.collections) CHECK_OK(good_name(c));
  const std::string token = given.empty() ? "ent_" + base64url(random_bytes(32)) : std::move(given);
  const std::string expires = days <= 0 ? "" : to_text(cx_.clock.now().plus_us(int64_t{days} * 86'400'000'000));
  json::Node n = json::Node::object();
  n.set("name", name).set("role", to_text(role)).set("expires", expires);
  if (const std::string narrowed = to_text(scope); !narrowed.empty()) n.set("scope", narrowed);
  const std::string hash = sha256_hex(token);
  store::Change change;
  change.expect("token-name", name, "");
  change.set("token", hash, json::write(n));
  change.set("token-name", name, hash);
  auto r = cx_.store.commit_wait(std::move(change));
  if (!r.ok()) {
    if (r.error().kind == ErrorKind::kConflict)
      return make_error(ErrorKind::kConflict, "there is a token of this name", std::string(name),
                        "revoke it first, or choose another name");
    return std::move(r).error();
  }
  return token;
}

Status Directory::revoke_token(std::string_view name) {
  auto hash = cx_.store.get("token-name", name);
  if (!hash.ok()) return make_error(ErrorKind::kNotFound, "there is no token of this name", std::string(name));
  store::Change change;
  change.erase("token", *hash);
  change.erase("token-name", name);
  const Status done = commit(cx_.store, std::move(change));
  const std::lock_guard lock(mutex_);
  ++revocations_;
  known_tokens_.clear();
  return done;
}

std::vector<Directory::Token> Directory::tokens() const {
  std::vector<Token> out;
  auto all = cx_.store.all("token");
  if (!all.ok()) return out;
  for (const auto& [_, value] : *all) {
    auto doc = json::parse(value);
    if (!doc.ok()) continue;
    const auto root = doc->root();
    out.push_back({std::string(json::find_string(root, "name").value_or("")),
                   parse_role(json::find_string(root, "role").value_or("")).value_or(Role::kAnalyst),
                   std::string(json::find_string(root, "expires").value_or("")),
                   parse_scope(json::find_string(root, "scope").value_or(""))});
  }
  std::sort(out.begin(), out.end(), [](const Token& a, const Token& b) { return a.name < b.name; });
  return out;
}

Result<Person> Directory::check_token(std::string_view token) {
  // Looked up by hash: what is compared is no secret, so the comparison's time tells nothing.
  const std::string hash = sha256_hex(token);
  uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = revocations_;
    if (const auto it = known_tokens_.find(hash); it != known_tokens_.end()) {
      if (it->second.expires && *it->second.expires <= cx_.clock.now()) return not_known();
      return it->second.person;
    }
  }
  auto value = cx_.store.get("token", hash);
  if (!value.ok()) return not_known();
  TRY(json::Document doc, json::parse(*value));
  const auto root = doc.root();
  const auto expires = json::find_string(root, "expires").value_or("");
  std::optional<Time> end;
  if (!expires.empty()) {
    auto at = parse_time(expires);
    if (!at.ok() || *at <= cx_.clock.now()) return not_known();
    end = *at;
  }
  const auto role = parse_role(json::find_string(root, "role").value_or(""));
  if (!role) return not_known();
  Person person{std::string(json::find_string(root, "name").value_or("")), *role,
                parse_scope(json::find_string(root, "scope").value_or(""))};
  const std::lock_guard lock(mutex_);
  if (revocations_ == before) {
    if (known_tokens_.size() >= kCacheMax) known_tokens_.clear();
    known_tokens_[hash] = {person, end};
  }
  return person;
}

Result<Person> Directory::check_basic(std::string_view user, std::string_view password) {
  auto value = cx_.store.get("account", user);
  if (!value.ok()) {
    // The same work for a name that does not exist, so that time tells nothing about names.
    {
      const std::lock_guard lock(mutex_);
      if (decoy_hash_.empty()) decoy_hash_ = hash_password("decoy-of-the-same-cost");
    }
    (void)check_password(decoy_hash_, password);
    return not_known();
  }
  TRY(json::Document doc, json::parse(*value));
  const auto root = doc.root();
  const auto role = parse_role(json::find_string(root, "role").value_or(""));
  if (!role || !check_password(json::find_string(root, "hash").value_or(""), password)) return not_known();
  return Person{std::string(user), *role, {}};
}

namespace {

// Guesses are counted for what one owner usually has: an IPv4 address, the /64 of an IPv6 one.
std::string guesser(std::string_view remote) {
  std::string_view host = remote.substr(0, remote.rfind(':'));
  if (!host.starts_with('[')) return std::string(host);
  host.remove_prefix(1);
  if (host.ends_with(']')) host.remove_suffix(1);
  if (host.starts_with("::ffff:")) return std::string(host);
  size_t colons = 0;
  for (size_t i = 0; i < host.size(); ++i) {
    if (host[i] != ':') continue;
    if (host.substr(i).starts_with("::")) return std::string(host.substr(0, i));
    if (++colons == 4) return std::string(host.substr(0, i));
  }
  return std::string(host);
}

}  // namespace

bool Directory::is_quick(std::string_view authorization) const {
  const size_t space = authorization.find(' ');
  if (space == std::string_view::npos || ascii_lower(authorization.substr(0, space)) != "basic") return true;
  const std::string key(view(hmac_sha256(cache_key_, authorization)));
  const std::lock_guard lock(mutex_);
  const auto it = verified_.find(key);
  return it != verified_.end() && it->second.until_us > cx_.clock.steady_us();
}

Result<Person> Directory::authenticate(std::string_view authorization, std::string_view remote) {
  const size_t space = authorization.find(' ');
  if (space == std::string_view::npos) return not_known();
  const std::string scheme = ascii_lower(authorization.substr(0, space));
  const std::string_view rest = authorization.substr(space + 1);
  if (scheme == "bearer") return check_token(rest);
  if (scheme != "basic") return not_known();

  const std::string key(view(hmac_sha256(cache_key_, authorization)));
  const int64_t now = cx_.clock.steady_us();
  uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = revocations_;
    const auto it = verified_.find(key);
    if (it != verified_.end() && it->second.until_us > now) return it->second.person;
  }
  // Some clients send a token as the whole of Basic, without user and colon (R8).
  if (auto person = check_token(rest); person.ok()) return person;
  auto pair = unbase64(rest);
  if (!pair.ok()) return not_known();
  const size_t colon = pair->find(':');
  if (colon == std::string::npos) return not_known();
  const std::string password = pair->substr(colon + 1);
  // An account's name with a token as password also works: for clients that only know Basic.
  if (auto person = check_token(password); person.ok()) return person;
  const std::string from = guesser(remote);
  if (!remote.empty() && !guesses_.would(from, now)) {
    return make_error(ErrorKind::kUnavailable, "too many wrong passwords from this address", {},
                      "wait " + std::to_string(guesses_.wait_seconds(from, now)) + " s");
  }
  auto checked = check_basic(pair->substr(0, colon), password);
  if (!checked.ok()) {
    if (!remote.empty()) (void)guesses_.take(from, now);
    return std::move(checked).error();
  }
  Person person = *std::move(checked);
  const std::lock_guard lock(mutex_);
  // A password that was changed, or an account that was removed, while this one was worked out is not remembered.
  if (revocations_ != before) return person;
  if (verified_.size() >= kCacheMax) verified_.clear();
  verified_[key] = {person, now + kCacheUs};
  return person;
}

Status Directory::put_peer(const Peer& peer) {
  if (peer.party.size() != 2 || peer.party == cx_.config.party)
    return invalid("a partner is two capital letters, and not ourselves", peer.party);
  if (!peer.url.starts_with("https://")) return invalid("a partner's address begins with https://", peer.url);
  if (peer.spki.empty())
    return invalid("a partner needs the SHA-256 of its TLS key", peer.party,
                   "ask the partner for the spki that its 'entente init' printed");
  json::Node list = json::Node::array();
  for (const auto& s : peer.spki) {
    auto raw = unhex(s);
    if (!raw.ok() || raw->size() != 32) return invalid("an spki is 64 hex digits", s);
    list.push(ascii_lower(s));
  }
  json::Node n = json::Node::object();
  n.set("url", peer.url).set("spki", std::move(list));
  store::Change change;
  change.set("peer", peer.party, json::write(n));
  return commit(cx_.store, std::move(change));
}

std::vector<Peer> Directory::peers() const {
  std::vector<Peer> out;
  auto all = cx_.store.all("peer");
  if (!all.ok()) return out;
  for (const auto& [party, value] : *all) {
    auto doc = json::parse(value);
    if (!doc.ok()) continue;
    Peer p{party, std::string(json::find_string(doc->root(), "url").value_or("")), {}};
    for (const auto s : json::string_list(json::find_array(doc->root(), "spki"))) p.spki.emplace_back(s);
    out.push_back(std::move(p));
  }
  return out;
}

std::optional<Peer> Directory::peer(std::string_view party) const {
  for (auto& p : peers()) {
    if (p.party == party) return p;
  }
  return std::nullopt;
}

std::optional<std::string> Directory::party_of(std::string_view spki) const {
  if (spki.empty()) return std::nullopt;
  for (const auto& p : peers()) {
    if (std::find(p.spki.begin(), p.spki.end(), spki) != p.spki.end()) return p.party;
  }
  return std::nullopt;
}

}  // namespace entente::exchange
