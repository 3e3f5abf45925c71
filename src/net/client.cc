// The HTTP client: one server, one connection at a time, a blocking face. It waits in poll(2), beside its socket on a
// descriptor that cancel() makes readable.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "net/http.h"
#include "net/internal/dial.h"
#include "net/internal/http1.h"
#include "net/internal/transport.h"

namespace entente::net {
namespace {

using namespace internal;

constexpr size_t kProxyHead = 16 * 1024;

struct Url {
  bool tls = true;
  std::string host;  // without brackets
  std::string port;
  std::string authority;  // for the Host header
  std::string login{};    // base64 of user:password, of a proxy only
};

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<Url> parse_url(const std::string& text, bool proxy = false) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    url.tls = false;
  } else {
    return invalid("a server's URL begins with https://", printable(text));
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const size_t at = rest.rfind('@'); proxy && at != std::string_view::npos) {
    const auto login = url_decode(rest.substr(0, at));
    if (!login) return invalid("a bad escape in the proxy's login", "the proxy");
    url.login = base64(*login);
    rest.remove_prefix(at + 1);
  }
  if (rest.empty() || rest.find('@') != std::string_view::npos) return invalid("no host in the URL", printable(text));
  url.authority = rest;
  std::string_view port;
  if (rest.front() == '[') {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return invalid("no end of the IPv6 address", printable(text));
    url.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const size_t colon = rest.find(':');
    url.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  url.port = url.tls ? "443" : "80";
  if (!port.empty()) {
    port.remove_prefix(port.front() == ':' ? 1 : 0);
    if (port.empty() || port.size() > 5 || !std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; })) {
      return invalid("not a port", printable(text));
    }
    url.port = port;
  }
  if (url.host.empty()) return invalid("no host in the URL", printable(text));
  if (!url.tls && !proxy && !is_loopback(url.host)) {
    return invalid("plain http is only for loopback", printable(text), "use https://");
  }
  return url;
}

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS";
}

class ClientImpl final : public Client {
 public:
  ClientImpl(Url url, std::optional<Url> proxy, std::shared_ptr<TlsContext> tls, const ClientOptions& options)
      : url_(std::move(url)), proxy_(std::move(proxy)), tls_(std::move(tls)), options_(options) {}

  Result<Response> send(const Request& request, std::chrono::milliseconds timeout) override {
    if (cancel_->is_set()) return failed("cancelled");
    TRY(const std::string head, request_head(request, url_.authority));
    const Deadline deadline =
        std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(timeout, std::chrono::hours(24));
    const bool reused = connected() && still_open();
    if (!reused) disconnect();
    bool answer_began = false;
    auto result = exchange(request, head, deadline, answer_began);
    // The server may have closed a kept connection just as we wrote on it. Once, and only where twice does no harm.
    const bool again = !result.ok() && reused && !answer_began && result.error().kind == ErrorKind::kUnavailable &&
                       closed_by_peer_ && is_idempotent(request.method) && !cancel_->is_set();
    if (!result.ok()) disconnect();
    if (again) {
      result = exchange(request, head, deadline, answer_began);
      if (!result.ok()) disconnect();
    }
    return result;
  }

  void cancel() override { cancel_->set(); }

  [[nodiscard]] std::string origin() const override {
    const bool v6 = url_.host.find(':') != std::string::npos;
    return (url_.tls ? "https://" : "http://") + ascii_lower(v6 ? "[" + url_.host + "]" : url_.host) + ":" + url_.port;
  }

 private:
  [[nodiscard]] bool connected() const { return fd_.valid(); }

  void disconnect() {
    transport_.close_notify();
    transport_ = Transport();
    fd_ = Fd();
    in_.clear();
  }

  [[nodiscard]] Error failed(const std::string& what) const {
    return make_error(ErrorKind::kUnavailable, what, url_.host + ":" + url_.port);
  }

  // A kept connection on which something arrived unasked has been closed, or is not to be trusted. Session tickets of
  // TLS 1.3 do arrive so; they are taken in by the read.
  bool still_open() {
    char octet = 0;
    if (!in_.empty()) return false;
    return transport_.read(&octet, 1).state == Io::kWantRead;
  }

  Status wait(Io direction, Deadline deadline, short also = 0) {
    const auto events = static_cast<short>((direction == Io::kWantWrite ? POLLOUT : POLLIN) | also);
    switch (wait_for(fd_.get(), events, *cancel_, deadline)) {
      case Waited::kReady:
        return {};
      case Waited::kTimeout:
        return failed("no answer in time");
      case Waited::kCancelled:
        return failed("cancelled");
    }
    return {};
  }

  Status connect(Deadline deadline) {
    deadline = std::min(deadline, std::chrono::steady_clock::now() + options_.connect_timeout);
    if (proxy_) {
      TRY(fd_, dial(proxy_->host, proxy_->port, cancel_, deadline));
      CHECK_OK(tunnel(deadline));
    } else {
      TRY(fd_, dial(url_.host, url_.port, cancel_, deadline));
    }
    transport_ = Transport(fd_.get(), tls_ ? new_client_ssl(*tls_, fd_.get(), url_.host) : nullptr);
    if (!tls_) return {};
    if (!transport_.tls()) return make_error(ErrorKind::kInternal, "no memory for TLS");
    for (;;) {
      const IoResult result = transport_.handshake();
      if (result.state == Io::kOk) return {};
      if (result.state != Io::kWantRead && result.state != Io::kWantWrite) {
        if (SSL_get_verify_result(transport_.ssl()) != X509_V_OK) {
          return make_error(ErrorKind::kUnauthenticated, "the server's certificate is not accepted: " + verify_text(),
                            options_.url,
                            "check the address; then compare the key with what its operator tells you by other means");
        }
        return failed(transport_.error().empty() ? "TLS handshake: connection ended" : transport_.error());
      }
      if (Status waited = wait(result.state, deadline); !waited.ok())
        return failed("TLS handshake: " + waited.error().what);
    }
  }

  // RFC 9110 §9.3.6: asks the proxy for a connection to the server. Its answer has no body, and not an octet more is
  // read than the head: what follows is TLS.
  Status tunnel(Deadline deadline) {
    const std::string where = url_.host.find(':') == std::string::npos ? url_.host : "[" + url_.host + "]";
    const std::string target = where + ":" + url_.port;
    std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!proxy_->login.empty()) head += "Proxy-Authorization: Basic " + proxy_->login + "\r\n";
    head += "\r\n";
    Transport plain(fd_.get(), nullptr);
    const auto proxy_failed = [&](const std::string& what) {
      return make_error(ErrorKind::kUnavailable, "the proxy: " + what, proxy_->host + ":" + proxy_->port);
    };
    for (size_t at = 0; at < head.size();) {
      const IoResult sent = plain.write(head, std::string(), at);
      if (sent.state == Io::kOk) {
        at += sent.n;
      } else if (sent.state == Io::kWantRead || sent.state == Io::kWantWrite) {
        if (Status waited = wait(sent.state, deadline); !waited.ok()) return proxy_failed(waited.error().what);
      } else {
        return proxy_failed("the connection ended");
      }
    }
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
      if (answer.size() > kProxyHead) return proxy_failed("its answer does not end");
      char octet = 0;
      const IoResult got = plain.read(&octet, 1);
      if (got.state == Io::kOk) {
        answer += octet;
      } else if (got.state == Io::kWantRead || got.state == Io::kWantWrite) {
        if (Status waited = wait(got.state, deadline); !waited.ok()) return proxy_failed(waited.error().what);
      } else {
        return proxy_failed("the connection ended");
      }
    }
    const std::string_view line = std::string_view(answer).substr(0, answer.find('\r'));
    if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ' || line[9] != '2') {
      return make_error(ErrorKind::kUnavailable, "the proxy does not connect to " + target + ": " + printable(line),
                        proxy_->host + ":" + proxy_->port, "ask its operator, or give no proxy");
    }
    return {};
  }

  [[nodiscard]] std::string verify_text() const {
    if (tls_->accept) return "its key is none of those pinned";
    return X509_verify_cert_error_string(SSL_get_verify_result(transport_.ssl()));
  }

  Result<Response> exchange(const Request& request, const std::string& head, Deadline deadline, bool& answer_began) {
    closed_by_peer_ = false;
    if (!connected()) CHECK_OK(connect(deadline));
    CHECK_OK(write(head, request.body, deadline));
    return read(request.method == "HEAD", deadline, answer_began);
  }

  // Ends early, without error, when the server answers before it has everything (a refusal of the body) or no longer
  // listens.
  Status write(const std::string& head, const std::string& body, Deadline deadline) {
    const size_t total = head.size() + body.size();
    size_t at = 0;
    while (at < total) {
      const IoResult result = transport_.write(head, body, at);
      if (result.state == Io::kOk) {
        at += result.n;
        continue;
      }
      if (result.state != Io::kWantRead && result.state != Io::kWantWrite) {
        half_written_ = true;
        return {};  // what the server had to say may still be there to be read
      }
      CHECK_OK(wait(result.state, deadline, POLLIN));
      if (result.state == Io::kWantWrite) {
        pollfd readable{fd_.get(), POLLIN, 0};
        if (poll(&readable, 1, 0) > 0) {
          CHECK_OK(take());
          if (!in_.empty()) {
            half_written_ = true;
            return {};
          }
        }
      }
    }
    half_written_ = false;
    return {};
  }

  // Reads what is there into in_; an end or error is remembered for read().
  Status take() {
    std::array<char, 16 * 1024> buffer;
    const IoResult got = transport_.read(buffer.data(), buffer.size());
    if (got.state == Io::kOk) in_.append(buffer.data(), got.n);
    if (got.state == Io::kEof || got.state == Io::kError) {
      closed_by_peer_ = true;
      return failed(transport_.error().empty() ? "the server closed the connection" : transport_.error());
    }
    return {};
  }

  Result<Response> read(bool head_only, Deadline deadline, bool& answer_began) {
    const MessageLimits limits{64 * 1024, options_.max_body_bytes};
    for (int interim = 0; interim < 16; ++interim) {
      ResponseParser parser(limits, head_only);
      const Parse parsed = read_one(parser, deadline, answer_began);
      switch (parsed) {
        case Parse::kDone:
          break;
        case Parse::kMore:
          return failed(trouble_);
        case Parse::kBodyLimit:
          return make_error(ErrorKind::kTooLarge, "the answer is larger than allowed", url_.host + ":" + url_.port);
        case Parse::kHeaderLimit:
        case Parse::kBad:
        case Parse::kUnsupported:
          return invalid("the server's answer is not HTTP", url_.host + ":" + url_.port);
      }
      Response response = std::move(parser.response());
      if (response.status == 101) return invalid("the server switches protocols unasked", url_.host + ":" + url_.port);
      if (response.status < 200) continue;  // 100, 103: the answer proper follows
      if (!parser.keep_alive() || half_written_ || closed_by_peer_) disconnect();
      return response;
    }
    return invalid("the server does not come to an answer", url_.host + ":" + url_.port);
  }

  // kMore: it failed on the way, trouble_ says how.
  Parse read_one(ResponseParser& parser, Deadline deadline, bool& answer_began) {
    std::vector<char> buffer(64 * 1024);
    for (;;) {
      if (!in_.empty()) {
        answer_began = true;
        if (const Parse parsed = parser.feed(in_); parsed != Parse::kMore) return parsed;
      }
      const IoResult got = transport_.read(buffer.data(), buffer.size());
      switch (got.state) {
        case Io::kOk:
          in_.append(buffer.data(), got.n);
          continue;
        case Io::kEof:
          closed_by_peer_ = true;
          trouble_ = "the server closed the connection";
          if (!answer_began) return Parse::kMore;
          // An answer without a length ends with the connection; a shorter one than promised is broken.
          if (parser.feed_eof() == Parse::kDone) return Parse::kDone;
          trouble_ = "the server closed the connection within its answer";
          return Parse::kMore;
        case Io::kError:
          closed_by_peer_ = true;
          trouble_ = transport_.error();
          return Parse::kMore;
        default:
          break;
      }
      if (Status waited = wait(got.state, deadline); !waited.ok()) {
        trouble_ = waited.error().what;
        return Parse::kMore;
      }
    }
  }

  Url url_;
  std::optional<Url> proxy_;
  std::shared_ptr<TlsContext> tls_;
  ClientOptions options_;
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
  Fd fd_;
  Transport transport_;  // on fd_
  std::string in_;
  std::string trouble_;
  bool closed_by_peer_ = false;
  bool half_written_ = false;
};

}  // namespace

Result<std::unique_ptr<Client>> connect_to(const ClientOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  TRY(Url url, parse_url(options.url));
  std::shared_ptr<TlsContext> tls;
  if (url.tls) {
    TRY(tls, client_tls(options));
  }
  std::optional<Url> proxy;
  if (!options.proxy.empty() && url.tls) {
    if (!options.proxy.starts_with("http://"))
      return invalid("a proxy's URL begins with http://", "the proxy", "TLS to the server goes through it untouched");
    auto parsed = parse_url(options.proxy, true);
    if (!parsed.ok()) return invalid("the proxy's URL is not understood", "the proxy", "http://HOST:PORT");
    proxy = *std::move(parsed);
  }
  return std::unique_ptr<Client>(
      std::make_unique<ClientImpl>(std::move(url), std::move(proxy), std::move(tls), options));
}

std::string proxy_from_environment(const std::string& url) {
  const auto parsed = parse_url(url);
  if (!parsed.ok() || !parsed->tls || is_loopback(parsed->host)) return {};
  const auto value = [](const char* small, const char* large) -> std::string {
    for (const char* name : {small, large}) {
      if (const char* v = std::getenv(name); v != nullptr && *v != '\0') return v;
    }
    return {};
  };
  std::string proxy = value("https_proxy", "HTTPS_PROXY");
  if (proxy.empty()) return {};
  if (proxy.find("://") == std::string::npos) proxy = "http://" + proxy;
  // Names and their subdomains, with or without a leading dot; "*" is everything. The port may be given.
  const std::string list = value("no_proxy", "NO_PROXY");
  const std::string host = ascii_lower(parsed->host);
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string one = ascii_lower(std::string_view(list).substr(at, end - at));
    at = end + 1;
    std::erase(one, ' ');
    if (const std::string port = ":" + parsed->port; one.ends_with(port)) one.resize(one.size() - port.size());
    if (one.starts_with('.')) one.erase(0, 1);
    if (one.empty()) continue;
    if (one == "*" || host == one || host.ends_with("." + one)) return {};
  }
  return proxy;
}

}  // namespace entente::net
