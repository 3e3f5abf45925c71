#include "taxii/client.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/bytes.h"
#include "base/crypto.h"
#include "json/json.h"
#include "taxii/internal/media.h"

namespace entente::taxii {
namespace {

using internal::kTaxii;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{60'000};
constexpr milliseconds kPollLimit{120'000};
constexpr milliseconds kLongestPause{60'000};
constexpr uint64_t kUnknownLimit = 1u << 20;  // for a server that does not tell its max_content_length
constexpr size_t kMaxEnvelope = 32u << 20;    // we never send more at once, whatever the server would take
constexpr size_t kFrame = 14;                 // {"objects":[]}

std::string with_slash(std::string path) {
  if (!path.ends_with('/')) path += '/';
  return path;
}

Error refusal(const net::Response& r, const std::string& where) {
  ErrorKind kind = ErrorKind::kInvalid;
  if (r.status == 401) kind = ErrorKind::kUnauthenticated;
  if (r.status == 403) kind = ErrorKind::kDenied;
  if (r.status == 404) kind = ErrorKind::kNotFound;
  if (r.status == 409) kind = ErrorKind::kConflict;
  if (r.status == 413) kind = ErrorKind::kTooLarge;
  if (r.status == 429 || r.status >= 500) kind = ErrorKind::kUnavailable;
  std::string what = "the server answered " + std::to_string(r.status);
  // An error resource says more (§3.6.1), but its words are a stranger's.
  if (auto doc = json::parse(r.body, {.max_bytes = 64 * 1024, .max_depth = 16}); doc.ok()) {
    if (const auto title = json::find_string(doc->root(), "title")) what += ": " + printable(*title);
    if (const auto text = json::find_string(doc->root(), "description")) what += ": " + printable(*text);
  }
  return make_error(kind, what, where);
}

// The path of an API root on this server; nullopt for another origin, to which we send nothing (T27, T81).
std::optional<std::string> root_path(std::string_view url, const std::string& origin) {
  if (url.find_first_of("?#") != std::string_view::npos) return std::nullopt;
  if (url.starts_with("/")) {
    if (url.starts_with("//")) return std::nullopt;
    return with_slash(std::string(url));
  }
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || origin.empty()) return std::nullopt;
  const size_t slash = url.find('/', scheme + 3);
  std::string authority = ascii_lower(url.substr(0, slash));
  const bool has_port =
      authority.find(':', authority.rfind(']') == std::string::npos ? scheme + 3 : authority.rfind(']')) !=
      std::string::npos;
  if (!has_port) authority += authority.starts_with("https://") ? ":443" : ":80";
  if (authority != origin) return std::nullopt;
  return slash == std::string_view::npos ? "/" : with_slash(std::string(url.substr(slash)));
}

uint64_t count_at(const json::Value& v, std::string_view name) {
  const auto n = json::find_int(v, name);
  return n && *n > 0 ? static_cast<uint64_t>(*n) : 0;  // T82: some send null
}

std::vector<ItemResult> results_at(const json::Value& v, std::string_view name) {
  std::vector<ItemResult> out;
  const auto list = json::find_array(v, name);
  if (!list) return out;
  for (const auto item : *list) {
    ItemResult r;
    r.id = json::find_string(item, "id").value_or("");
    r.version = json::find_string(item, "version").value_or("");
    r.message = json::find_string(item, "message").value_or("");
    out.push_back(std::move(r));
  }
  return out;
}

Result<StatusInfo> parse_status(const std::string& body) {
  TRY(const auto doc, json::parse(body));
  const auto root = doc.root();
  StatusInfo s;
  const auto id = json::find_string(root, "id");
  const auto state = json::find_string(root, "status");
  if (!state) return invalid("the answer is not a status resource");
  s.id = id.value_or("");
  s.complete = *state == "complete";
  if (const auto t = json::find_string(root, "request_timestamp")) {
    if (auto time = parse_time(*t); time.ok()) s.request_time = *time;
  }
  s.total = count_at(root, "total_count");
  s.success = count_at(root, "success_count");
  s.failure = count_at(root, "failure_count");
  s.pending = count_at(root, "pending_count");
  s.successes = results_at(root, "successes");
  s.failures = results_at(root, "failures");
  s.pendings = results_at(root, "pendings");
  return s;
}

void merge(StatusInfo& into, StatusInfo part) {
  into.id = std::move(part.id);
  into.complete = into.complete && part.complete;
  into.request_time = std::max(into.request_time, part.request_time);
  into.total += part.total;
  into.success += part.success;
  into.failure += part.failure;
  into.pending += part.pending;
  const auto move_all = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(into.successes, part.successes);
  move_all(into.failures, part.failures);
  move_all(into.pendings, part.pendings);
}

// T82: an absent or unreadable header is no error; what depends on it looks.
std::optional<Time> time_header(const net::Response& r, std::string_view name) {
  auto t = parse_time(r.header(name));
  if (!t.ok()) return std::nullopt;
  return *t;
}

// Between half and all of it, so that clients that failed together do not come back together.
milliseconds jittered(milliseconds delay) {
  const std::string octets = random_bytes(4);
  ByteReader random(octets);
  const int64_t half = delay.count() / 2;
  return milliseconds(half + static_cast<int64_t>(random.u32()) * half / UINT32_MAX);
}

// Retry-After in seconds (RFC 9110 §10.2.3; the form with a date is passed over), at most kLongestPause.
std::optional<milliseconds> retry_after(std::string_view text) {
  int64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || end != text.data() + text.size() || n < 0) return std::nullopt;
  if (ec != std::errc()) return kLongestPause;
  return std::min<milliseconds>(std::chrono::seconds(std::min<int64_t>(n, 3600)), kLongestPause);
}

}  // namespace

struct Client::State {
  std::unique_ptr<net::Client> transport;
  std::string authorization;
  std::map<std::string, uint64_t> max_content;  // by root
  std::mutex mutex;                             // for cancelled
  std::condition_variable wake;
  bool cancelled = false;

  Retries retries;
  std::string previous_page;  // SHA-256 of the page before, if more was to follow

  Result<net::Response> send_once(const std::string& method, const std::string& path, const net::Headers& headers,
                                  const std::string& body, milliseconds patience) {
    net::Request r;
    r.method = method;
    r.path = path;
    r.headers = headers;
    r.body = body;
    if (!authorization.empty()) r.headers.emplace_back("Authorization", authorization);
    return transport->send(r, patience);
  }

  Result<net::Response> send(const std::string& method, const std::string& path, const net::Headers& headers,
                             const std::string& body, milliseconds patience) {
    if (!path.starts_with('/') || path.starts_with("//")) return invalid("not a path of the server", printable(path));
    milliseconds delay = retries.first;
    for (int attempt = 0;; ++attempt) {
      auto answer = send_once(method, path, headers, body, patience);
      const bool said_later = answer.ok() && (answer->status == 429 || answer->status == 503);
      const bool failed = said_later || (answer.ok() ? answer->status >= 500 && answer->status != 501
                                                     : answer.error().kind == ErrorKind::kUnavailable);
      // A POST that may have been done is not sent twice without need; the server said that it was not.
      if (!failed || attempt >= retries.times || (method != "GET" && !said_later)) return answer;
      milliseconds wait = jittered(delay);
      if (said_later) {
        if (const auto seconds = retry_after(answer->header("Retry-After"))) wait = std::max(wait, *seconds);
      }
      delay = std::min<milliseconds>(delay * 2, kLongestPause);
      if (!pause(wait)) return make_error(ErrorKind::kUnavailable, "cancelled", path);
    }
  }
  // A JSON resource: answers only 200 and, for odd servers, 206 (R7).
  Result<net::Response> fetch(const std::string& path, net::Headers headers = {}, milliseconds patience = kPatience) {
    headers.emplace_back("Accept", kTaxii);  // T14
    TRY(net::Response r, send("GET", path, headers, {}, patience));
    if (r.status != 200 && r.status != 206) return refusal(r, path);
    return r;
  }
  bool pause(milliseconds time) {
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, time, [&] { return cancelled; });
  }
  uint64_t limit_of(const std::string& root);
  Result<StatusInfo> post_envelope(const std::string& root, const std::string& path, const std::string& body);
};

// T79: an envelope stays below what the root takes.
uint64_t Client::State::limit_of(const std::string& root) {
  if (const auto it = max_content.find(root); it != max_content.end()) return it->second;
  uint64_t limit = kUnknownLimit;
  if (auto r = fetch(root); r.ok()) {
    if (auto doc = json::parse(r->body); doc.ok()) {
      if (const uint64_t n = count_at(doc->root(), "max_content_length"); n > 0) limit = n;
    }
  }
  max_content[root] = limit;
  return limit;
}

Result<StatusInfo> Client::State::post_envelope(const std::string& root, const std::string& path,
                                                const std::string& body) {
  TRY(const net::Response r,
      send("POST", path, {{"Accept", std::string(kTaxii)}, {"Content-Type", std::string(kTaxii)}}, body, kPatience));
  if (r.status < 200 || r.status > 202) return refusal(r, path);  // T82
  TRY(StatusInfo status, parse_status(r.body));
  milliseconds delay{50};
  milliseconds waited{0};
  while (!status.complete) {  // T79
    if (status.id.empty()) return invalid("a pending status without id", path);
    if (waited > kPollLimit) break;  // the caller sees complete = false
    if (!pause(delay)) return make_error(ErrorKind::kUnavailable, "cancelled", path);
    waited += delay;
    delay = std::min<milliseconds>(delay * 2, milliseconds{2000});
    TRY(const net::Response again, fetch(root + "status/" + net::url_encode(status.id) + "/"));
    TRY(status, parse_status(again.body));
  }
  return status;
}

Client::Client(std::unique_ptr<net::Client> transport, std::string authorization) : state_(std::make_unique<State>()) {
  state_->transport = std::move(transport);
  state_->authorization = std::move(authorization);
}
Client::~Client() = default;

Result<Client::Discovery> Client::discover() {
  TRY(const net::Response r, state_->fetch("/taxii2/"));
  TRY(const auto doc, json::parse(r.body));
  const auto root = doc.root();
  Discovery out;
  const auto title = json::find_string(root, "title");
  if (!title) return invalid("the answer is not a discovery resource", "/taxii2/");
  out.title = *title;
  const std::string origin = state_->transport->origin();
  for (const auto url : json::string_list(json::find_array(root, "api_roots"))) {
    if (auto path = root_path(url, origin)) out.roots.push_back(*std::move(path));
  }
  if (const auto url = json::find_string(root, "default")) {
    if (auto path = root_path(*url, origin)) out.default_root = *std::move(path);
  }
  return out;
}

Result<std::vector<CollectionInfo>> Client::collections(const std::string& root) {
  const std::string path = with_slash(root) + "collections/";
  TRY(const net::Response r, state_->fetch(path));
  TRY(const auto doc, json::parse(r.body));
  std::vector<CollectionInfo> out;
  const auto list = json::find_array(doc.root(), "collections");
  if (!list) return out;
  for (const auto item : *list) {
    CollectionInfo c;
    const auto id = json::find_string(item, "id");
    if (!id || id->empty()) return invalid("a collection without id", path);  // R6: any id, not only UUIDs
    c.id = *id;
    c.alias = json::find_string(item, "alias").value_or("");
    c.title = json::find_string(item, "title").value_or("");
    c.description = json::find_string(item, "description").value_or("");
    c.can_read = json::find_bool(item, "can_read").value_or(false);
    c.can_write = json::find_bool(item, "can_write").value_or(false);
    out.push_back(std::move(c));
  }
  return out;
}

Result<std::shared_ptr<Fetched>> Client::objects(const std::string& root, const std::string& collection,
                                                 const Get& get) {
  std::string path = with_slash(root) + "collections/" + net::url_encode(collection) + "/objects/";
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    path += separator;
    path += name;
    path += '=';
    path += net::url_encode(value);
    separator = '&';
  };
  // T80: `next` goes with the original options.
  if (get.added_after) add("added_after", to_text(*get.added_after));
  if (get.limit > 0) add("limit", std::to_string(get.limit));
  if (!get.types.empty()) {
    std::string types;
    for (const auto& t : get.types) types += (types.empty() ? "" : ",") + t;
    add("match[type]", types);
  }
  if (get.all_versions) add("match[version]", "all");
  if (!get.next.empty()) add("next", get.next);

  net::Headers headers;
  milliseconds patience = kPatience;
  if (get.wait_seconds > 0) {
    headers.emplace_back("Prefer", "wait=" + std::to_string(get.wait_seconds));
    patience += std::chrono::seconds(get.wait_seconds);
  }
  TRY(net::Response r, state_->fetch(path, std::move(headers), patience));

  auto out = std::make_shared<Fetched>();
  out->body = std::move(r.body);
  {
    TRY(const auto doc, json::parse(out->body));
    const auto envelope = doc.root();
    if (!envelope.is_object()) return invalid("the answer is not an envelope", path);
    out->more = json::find_bool(envelope, "more").value_or(false);
    out->next = json::find_string(envelope, "next").value_or("");
    if (json::find_array(envelope, "objects")) {
      TRY(out->objects, json::split_array(out->body, "objects"));
    }
  }
  out->first = time_header(r, "X-TAXII-Date-Added-First");
  out->last = time_header(r, "X-TAXII-Date-Added-Last");
  if (get.limit > 0 && out->objects.size() > get.limit) {
    return invalid("the server sent more objects than were asked for", path);  // T40
  }
  // T80: a sequence of pages must come nearer to its end.
  if (out->more) {
    // Some servers keep one cursor for all pages and move it on themselves (medallion). Then the pages must differ.
    const std::string digest = sha256_hex(out->body);
    const bool repeats = out->objects.empty() || digest == state_->previous_page;
    const bool same = !out->next.empty() && out->next == get.next && repeats;
    state_->previous_page = digest;
    const bool stuck = out->next.empty() && (!out->last || (get.added_after && *out->last <= *get.added_after));
    if (same || stuck)
      return invalid("the server's pages do not advance", path, "tell its operator; what came before is kept");
  }
  return out;
}

Result<StatusInfo> Client::add(const std::string& root, const std::string& collection,
                               const std::vector<std::string_view>& raw_objects) {
  const std::string base = with_slash(root);
  const std::string path = base + "collections/" + net::url_encode(collection) + "/objects/";
  const uint64_t limit = std::min<uint64_t>(state_->limit_of(base), kMaxEnvelope);
  StatusInfo out;
  size_t i = 0;
  do {
    std::string body = "{\"objects\":[";
    const size_t begin = i;
    size_t size = kFrame;
    while (i < raw_objects.size() && (i == begin || size + raw_objects[i].size() + 1 <= limit)) {
      size += raw_objects[i].size() + 1;
      ++i;
    }
    body.reserve(size + 1);
    for (size_t k = begin; k < i; ++k) {
      if (k > begin) body += ',';
      body += raw_objects[k];
    }
    body += "]}";
    if (i == begin) body = "{  }";  // T20: no empty list
    TRY(StatusInfo part, state_->post_envelope(base, path, body));
    merge(out, std::move(part));
  } while (i < raw_objects.size());
  return out;
}

Result<StatusInfo> Client::status(const std::string& root, const std::string& status_id) {
  TRY(const net::Response r, state_->fetch(with_slash(root) + "status/" + net::url_encode(status_id) + "/"));
  return parse_status(r.body);
}

Status Client::remove(const std::string& root, const std::string& collection, const std::string& object_id,
                      const std::string& match_version) {
  std::string path =
      with_slash(root) + "collections/" + net::url_encode(collection) + "/objects/" + net::url_encode(object_id) + "/";
  if (!match_version.empty()) path += "?match[version]=" + net::url_encode(match_version);
  TRY(const net::Response r, state_->send("DELETE", path, {{"Accept", std::string(kTaxii)}}, {}, kPatience));
  if (r.status < 200 || r.status > 204) return refusal(r, path);
  return {};
}

void Client::set_retries(Retries retries) { state_->retries = retries; }

Result<net::Response> Client::get(const std::string& path, const std::string& accept) {
  return state_->send("GET", path, {{"Accept", accept}}, {}, kPatience);
}

Result<net::Response> Client::post(const std::string& path, const std::string& body, const std::string& content_type) {
  return state_->send("POST", path, {{"Accept", "*/*"}, {"Content-Type", content_type}}, body, kPatience);
}

void Client::cancel() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->cancelled = true;
  }
  state_->wake.notify_all();
  state_->transport->cancel();
}

}  // namespace entente::taxii
