#include "taxii/server.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/throttle.h"
#include "taxii/internal/media.h"
#include "taxii/internal/query.h"
#include "taxii/internal/resource.h"
#include "taxii/internal/route.h"

namespace entente::taxii {
namespace {

using namespace internal;

std::string_view without_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// What follows `root` in `path`; nullopt if the path is not below it. "/local" is the root "/local/" itself (T23, R5).
std::optional<std::string_view> below(std::string_view path, std::string_view root) {
  root = without_slash(root);
  if (root.empty() || !path.starts_with(root)) return std::nullopt;
  const std::string_view rest = path.substr(root.size());
  if (rest.empty()) return rest;
  if (rest.front() != '/') return std::nullopt;
  return rest.substr(1);
}

// "https://HOST" as the client wrote it; "" if it wrote none, or no host that could stand in a URL (T27).
std::string host_origin(const net::Request& request) {
  const std::string_view host = request.header("Host");
  const bool plain = !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]").find(c) != std::string_view::npos;
  });
  return plain ? "https://" + std::string(host) : std::string();
}

// RFC 9110 §13.1.2: what a poller already has is not sent again. For resources that are asked for often and change
// seldom; pages of objects have added_after for that.
net::Response unless_known(net::Response response, const net::Request& request) {
  if (response.status != 200) return response;
  const std::string tag = "\"" + sha256_hex(response.body).substr(0, 32) + "\"";
  response.headers.emplace_back("ETag", tag);
  // It depends on who asks: no shared cache may keep it.
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  for (std::string_view known : split_list(request.header("If-None-Match"))) {
    if (known.starts_with("W/")) known.remove_prefix(2);
    if (known != tag && known != "*") continue;
    response.status = 304;
    response.body.clear();
    break;
  }
  return response;
}

bool is_read(const std::string& method) { return method == "GET" || method == "HEAD"; }

}  // namespace

struct Service::State {
  State(Backend& b, Options o, Clock& c)
      : backend(b),
        options(std::move(o)),
        clock(c),
        rate(std::max(options.requests_per_second, 1e-9), std::max(1.0, 10 * options.requests_per_second)) {}
  Backend& backend;
  Options options;
  Clock& clock;
  Throttle rate;  // by caller

  // One request on its way, with all that later steps need.
  struct Call {
    net::Request request;
    net::Reply reply;
    Caller caller;
    RootInfo root;
    Route route;
    CollectionInfo collection;
  };

  void handle(const std::shared_ptr<State>& self, net::Request request, net::Reply reply);
  net::Response discovery(const Caller& caller, const net::Request& request);
  net::Response collections(const Call& call);
  void in_collection(const std::shared_ptr<State>& self, Call call);
  void read(const std::shared_ptr<State>& self, Call call, Endpoint endpoint);
  net::Response page(const Call& call, Endpoint endpoint, const Query& query, const std::string& scope, bool* empty);
  void add(Call call);
  net::Response remove(const Call& call);
};

// T5, T6, T10, T16: who asks comes first, so that nothing is told to those who may not know; then the path, the method,
// the media type.
void Service::State::handle(const std::shared_ptr<State>& self, net::Request request, net::Reply reply) {
  auto caller = backend.authenticate(request);
  if (!caller.ok()) return reply(error_answer(caller.error()));
  reply = [reply = std::move(reply), who = caller->id](net::Response r) {
    r.who = who;
    reply(std::move(r));
  };
  if (options.requests_per_second > 0 && !rate.take(caller->id, clock.steady_us())) {  // T76, R11
    net::Response r = error_answer(429, "Too many requests", "You ask more often than this server allows.");
    std::erase_if(r.headers, [](const auto& h) { return h.first == "Retry-After"; });
    r.headers.emplace_back("Retry-After", std::to_string(rate.wait_seconds(caller->id, clock.steady_us())));
    return reply(std::move(r));
  }
  const std::string_view path = request.path;
  const bool is_discovery = without_slash(path) == "/taxii2";  // T25
  Call call;
  call.caller = *caller;
  if (!is_discovery) {
    bool found = false;
    for (auto& root : backend.roots(*caller)) {
      const auto rest = below(path, root.path);
      if (!rest) continue;
      auto route = find_route(*rest);
      if (!route) break;
      call.root = std::move(root);
      call.route = *std::move(route);
      found = true;
      break;
    }
    if (!found) return reply(error_answer(404, "Not found", "There is no such resource here."));
  }
  const std::string_view allowed = is_discovery ? "GET, HEAD" : allowed_methods(call.route.resource);
  const bool known = (is_read(request.method) || request.method == "POST" || request.method == "DELETE") &&
                     allowed.find(request.method) != std::string_view::npos;
  if (!known) {
    net::Response r = error_answer(405, "Method not allowed", "See the Allow header.");
    r.headers.emplace_back("Allow", allowed);
    return reply(std::move(r));
  }
  if (!accepts_taxii(request.headers)) {
    return reply(error_answer(406, "Not acceptable", "This server answers with " + std::string(kTaxii) + "."));
  }
  if (is_discovery) return reply(unless_known(discovery(*caller, request), request));
  call.request = std::move(request);
  call.reply = std::move(reply);
  switch (call.route.resource) {
    case Resource::kRoot:
      return call.reply(unless_known(answer(200, root_json(call.root)), call.request));
    case Resource::kStatus: {
      auto status = backend.status(call.caller, call.root.path, call.route.item);  // T69
      return call.reply(status.ok() ? answer(200, status_json(*status)) : error_answer(status.error()));
    }
    case Resource::kCollections:
      return call.reply(unless_known(collections(call), call.request));
    default:
      return in_collection(self, std::move(call));
  }
}

net::Response Service::State::discovery(const Caller& caller, const net::Request& request) {
  const std::string origin = options.public_origin.empty() ? host_origin(request) : options.public_origin;
  return answer(200, discovery_json(backend.title(), backend.contact(), backend.roots(caller), origin));
}

net::Response Service::State::collections(const Call& call) {
  auto list = backend.collections(call.caller, call.root.path);
  return list.ok() ? answer(200, collections_json(*list)) : error_answer(list.error());
}

void Service::State::in_collection(const std::shared_ptr<State>& self, Call call) {
  auto list = backend.collections(call.caller, call.root.path);
  if (!list.ok()) return call.reply(error_answer(list.error()));
  // T34: the alias names it wherever the id does.
  const auto it = std::ranges::find_if(*list, [&](const CollectionInfo& c) {
    return c.id == call.route.collection || (!c.alias.empty() && c.alias == call.route.collection);
  });
  if (it == list->end()) return call.reply(error_answer(404, "Not found", "There is no such collection here."));
  call.collection = std::move(*it);
  if (call.route.resource == Resource::kCollection)
    return call.reply(unless_known(answer(200, collection_json(call.collection)), call.request));
  if (call.request.method == "POST") return add(std::move(call));
  if (call.request.method == "DELETE") {
    const net::Reply reply = call.reply;
    return reply(remove(call));
  }
  if (!call.collection.can_read) {  // T35
    return call.reply(error_answer(403, "Not permitted", "You may not read this collection."));
  }
  switch (call.route.resource) {
    case Resource::kManifest:
      return read(self, std::move(call), Endpoint::kManifest);
    case Resource::kObjects:
      return read(self, std::move(call), Endpoint::kObjects);
    case Resource::kVersions:
      return read(self, std::move(call), Endpoint::kVersions);
    default:
      return read(self, std::move(call), Endpoint::kObject);
  }
}

void Service::State::read(const std::shared_ptr<State>& self, Call call, Endpoint endpoint) {
  auto query = parse_filters(call.request.query, endpoint, {options.default_limit, options.max_limit});
  if (!query.ok()) return call.reply(error_answer(query.error()));
  // T43: a cursor of another collection, endpoint or root does not authenticate. Rights were looked at above, now as
  // for any request.
  std::string scope;
  for (const std::string_view part :
       {std::string_view(call.root.path), std::string_view(call.collection.id), std::string_view(call.route.item)}) {
    scope += part;
    scope += '\n';
  }
  scope += static_cast<char>('0' + static_cast<int>(endpoint));
  if (query->next) {
    auto cursor = unseal(*query->next, scope, options.cursor_key);
    if (!cursor.ok()) return call.reply(error_answer(cursor.error()));
    if (Status resumed = resume(*query, *cursor); !resumed.ok()) return call.reply(error_answer(resumed.error()));
  }
  if (!call.route.item.empty()) {  // T60
    auto known = backend.has(call.caller, call.root.path, call.collection.id, call.route.item);
    if (!known.ok()) return call.reply(error_answer(known.error()));
    if (!*known) return call.reply(error_answer(404, "Not found", "There is no such object in this collection."));
    query->filter.ids = {call.route.item};
  }
  const bool may_wait = endpoint == Endpoint::kObjects || endpoint == Endpoint::kManifest;
  // A plain number, -1 = not asked for: GCC 12 takes a copied optional for uninitialised here.
  const int64_t seconds = may_wait ? preferred_wait(call.request.headers).value_or(-1) : -1;
  bool empty = false;
  net::Response response = page(call, endpoint, *query, scope, &empty);
  if (seconds < 0 || response.status != 200) return call.reply(std::move(response));
  const int64_t wait_ms = std::min(seconds * 1000, options.max_wait_ms);
  const std::string applied = "wait=" + std::to_string(seconds);
  if (!empty || query->next || wait_ms <= 0) {
    response.headers.emplace_back("Preference-Applied", applied);  // RFC 7240 §3
    return call.reply(std::move(response));
  }
  // Nothing yet: hold the answer until there is something, or the time is up (DESIGN §4).
  auto held = std::make_shared<Call>(std::move(call));
  held->request = {};  // thousands may wait
  const Caller caller = held->caller;
  const std::string root = held->root.path;
  const std::string collection = held->collection.id;
  const Time after = query->filter.added_after.value_or(Time{0});
  backend.wait(caller, root, collection, after, wait_ms, [self, held, endpoint, query = *query, scope, applied] {
    bool still_empty = false;
    net::Response late = self->page(*held, endpoint, query, scope, &still_empty);
    late.headers.emplace_back("Preference-Applied", applied);
    held->reply(std::move(late));
  });
}

net::Response Service::State::page(const Call& call, Endpoint endpoint, const Query& query, const std::string& scope,
                                   bool* empty) {
  const bool want_body = endpoint == Endpoint::kObjects || endpoint == Endpoint::kObject;
  auto found = backend.page(call.caller, call.root.path, call.collection.id, query.filter, want_body);
  if (!found.ok()) return error_answer(found.error());
  Page page = std::move(*found);
  *empty = !page.last;
  std::string next;
  // T39: if nothing was added after this, this is where a client that stores the header goes on from. Never "now".
  const std::optional<Time> nothing = std::max(query.filter.added_after, query.filter.resume);
  const std::optional<Time> first = page.last ? page.first : nothing;
  const std::optional<Time> last = page.last ? page.last : nothing;
  if (page.last && page.more) {  // T41, T42, T44
    Cursor cursor;
    cursor.position = *page.last;
    cursor.upto = query.filter.upto.value_or(std::max({*page.last, page.snapshot, clock.now()}));
    cursor.added_after = query.filter.added_after;
    cursor.filter = query.filter;
    if (!call.route.item.empty()) cursor.filter.ids.clear();  // the path says it
    next = seal(cursor, scope, options.cursor_key);
  }
  net::Response response =
      want_body ? envelope_answer(std::move(page), next)
                : answer(200, endpoint == Endpoint::kManifest ? manifest_json(page, next) : versions_json(page, next));
  response.compressible = true;  // what the collection holds, and no secret of the caller's
  if (first && last) {           // T38
    response.headers.emplace_back("X-TAXII-Date-Added-First", to_text(*first));
    response.headers.emplace_back("X-TAXII-Date-Added-Last", to_text(*last));
  }
  return response;
}

void Service::State::add(Call call) {
  if (!call.collection.can_write) {  // T35
    return call.reply(error_answer(403, "Not permitted", "You may not write to this collection."));
  }
  if (!is_taxii_body(call.request.header("Content-Type"))) {  // T15, T67
    return call.reply(error_answer(415, "Unsupported media type", "Send Content-Type: " + std::string(kTaxii) + "."));
  }
  if (call.request.body.size() > call.root.max_content_length) {  // T29: more than, not equal
    return call.reply(
        error_answer(413, "Too large", "The limit is " + std::to_string(call.root.max_content_length) + " octets."));
  }
  backend.add(call.caller, call.root.path, call.collection.id, std::move(call.request.body),
              [reply = std::move(call.reply)](Result<StatusInfo> status) {
                if (status.ok()) return reply(answer(202, status_json(*status)));  // T62
                if (status.error().kind != ErrorKind::kInvalid) return reply(error_answer(status.error()));
                const Error& e = status.error();
                reply(error_answer(422, "Not an envelope of STIX objects",
                                   e.where.empty() ? e.what : e.what + " (" + e.where + ")"));
              });
}

net::Response Service::State::remove(const Call& call) {
  const CollectionInfo& c = call.collection;
  if (!c.can_read && !c.can_write) return error_answer(404, "Not found", "There is no such collection here.");  // T70
  if (!c.can_read || !c.can_write)
    return error_answer(403, "Not permitted", "You may not delete from this collection.");
  auto query = parse_filters(call.request.query, Endpoint::kDelete, {});
  if (!query.ok()) return error_answer(query.error());
  auto known = backend.has(call.caller, call.root.path, c.id, call.route.item);
  if (!known.ok()) return error_answer(known.error());
  if (!*known) return error_answer(404, "Not found", "There is no such object in this collection.");
  query->filter.ids = {call.route.item};
  const Status removed = backend.remove(call.caller, call.root.path, c.id, call.route.item, query->filter);  // T71, T72
  return removed.ok() ? answer(200, {}) : error_answer(removed.error());                                     // T73
}

Service::Service(Backend& backend, Options options, Clock& clock)
    : state_(std::make_shared<State>(backend, std::move(options), clock)) {}
Service::~Service() = default;

bool Service::owns(std::string_view path) const {
  if (without_slash(path) == "/taxii2" || path.starts_with("/taxii2/")) return true;
  for (const auto& prefix : state_->options.root_prefixes) {
    if (below(path, prefix)) return true;
  }
  const auto roots = state_->backend.roots(Caller{});
  return std::ranges::any_of(roots, [&](const RootInfo& r) { return below(path, r.path).has_value(); });
}

bool Service::speaks(const net::Request& request) const {
  return owns(request.path) ||
         ascii_lower(request.header("Accept")).find("application/taxii+json") != std::string::npos;
}

void Service::handle(net::Request request, net::Reply reply) {
  state_->handle(state_, std::move(request), std::move(reply));
}

}  // namespace entente::taxii
