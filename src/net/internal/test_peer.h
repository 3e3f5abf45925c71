// For this layer's tests: a server on a free loopback port, and a peer that speaks raw octets to it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "net/http.h"

namespace entente::net::internal {

using namespace std::chrono_literals;

class RawPeer {
 public:
  explicit RawPeer(uint16_t port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok_ = connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
  }
  RawPeer(RawPeer&& o) noexcept : fd_(std::exchange(o.fd_, -1)), ok_(o.ok_) {}
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  RawPeer& operator=(RawPeer&&) = delete;
  ~RawPeer() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int fd() const { return fd_; }
  bool say(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void shut() const { ::shutdown(fd_, SHUT_WR); }
  void reset() {  // RST instead of FIN
    const linger l{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(std::exchange(fd_, -1));
  }
  // Reads until `enough` is content, the end, or the time-out.
  std::string hear(const std::function<bool(const std::string&)>& enough, std::chrono::milliseconds timeout = 5000ms) {
    std::string out;
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (!enough(out)) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      pollfd p{fd_, POLLIN, 0};
      if (left <= 0ms || poll(&p, 1, static_cast<int>(left.count())) <= 0) break;
      char buffer[65536];
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) {
        ended_ = true;
        break;
      }
      out.append(buffer, static_cast<size_t>(n));
    }
    return out;
  }
  std::string hear_all(std::chrono::milliseconds timeout = 5000ms) {
    return hear([](const std::string&) { return false; }, timeout);
  }
  // As many heads (which end in an empty line) as asked; for answers without body.
  std::string hear_until(const std::string& text, std::chrono::milliseconds timeout = 5000ms) {
    return hear([&](const std::string& s) { return s.find(text) != std::string::npos; }, timeout);
  }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  int fd_;
  bool ok_ = false;
  bool ended_ = false;
};

inline size_t count_of(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// A folder that goes with the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "entente-net-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The pieces of `text` of these sizes, the last one taking what is left; an error after them if asked for.
class Pieces final : public BodySource {
 public:
  Pieces(std::string text, std::vector<size_t> sizes, bool fail = false, std::atomic<int>* alive = nullptr)
      : text_(std::move(text)), sizes_(std::move(sizes)), fail_(fail), alive_(alive) {
    if (alive_ != nullptr) ++*alive_;
  }
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;
  ~Pieces() override {
    if (alive_ != nullptr) --*alive_;
  }
  Result<bool> next(std::string& out) override {
    if (i_ == sizes_.size() && fail_) return make_error(ErrorKind::kIo, "the disk is gone");
    const size_t n = i_ < sizes_.size() ? std::min(sizes_[i_], text_.size() - at_) : text_.size() - at_;
    if (i_ < sizes_.size()) ++i_;
    out.append(text_, at_, n);
    at_ += n;
    return fail_ || at_ < text_.size();
  }

 private:
  std::string text_;
  std::vector<size_t> sizes_;
  bool fail_;
  std::atomic<int>* alive_;
  size_t at_ = 0;
  size_t i_ = 0;
};

// Text that shows any octet lost, doubled or moved.
inline std::string numbered(size_t size) {
  std::string out;
  for (size_t i = 0; out.size() < size; ++i) out += std::to_string(i) + ",";
  out.resize(size);
  return out;
}

// Answers with what came: method, path, query and body.
inline void echo(Request request, const Reply& reply) {
  Response r;
  r.headers = {{"Content-Type", "text/plain"}};
  r.body = request.method + " " + request.path + "?" + request.query + " " + request.body;
  reply(std::move(r));
}

inline std::unique_ptr<Server> start(const ServerOptions& options, Handler handler, Metrics& metrics) {
  auto server = serve(options, std::move(handler), metrics);
  EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().text());
  return server.ok() ? std::move(server).value() : nullptr;
}

inline uint64_t connections(Metrics& metrics) {
  return metrics.gauge("entente_http_connections", "Connections open now").value();
}

// Polls until `f` holds; false after the time-out.
inline bool eventually(const std::function<bool()>& f, std::chrono::milliseconds timeout = 5000ms) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < until) {
    if (f()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return f();
}

}  // namespace entente::net::internal
