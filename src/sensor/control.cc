#include "sensor/control.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace entente::sensor {

namespace {

constexpr size_t kMaxRequest = 64 * 1024;
constexpr size_t kMaxAnswer = 1u << 30;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error io(const char* what, const std::string& path) {
  return make_error(ErrorKind::kIo, std::string(what) + ": " + std::strerror(errno), path);
}

// A socket's name holds 108 octets. A longer path is reached through the folder's descriptor.
struct Address {
  sockaddr_un name{};
  Fd folder{-1};
};
Result<Address> address_of(const std::string& path) {
  Address a;
  a.name.sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof a.name.sun_path) {
    const size_t slash = path.rfind('/');
    const Fd folder(open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) return io("cannot open the folder", path);
    const int kept = fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
    text = "/proc/self/fd/" + std::to_string(kept) + path.substr(slash);
    Address b{a.name, Fd(kept)};
    if (text.size() >= sizeof b.name.sun_path) return invalid("the name of the socket is too long", path);
    std::memcpy(b.name.sun_path, text.c_str(), text.size() + 1);
    return b;
  }
  std::memcpy(a.name.sun_path, text.c_str(), text.size() + 1);
  return a;
}

int left_ms(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

// Up to the line end, which is taken off. nullopt: time-out, too long, or the other side left.
std::optional<std::string> read_line(int fd, size_t most, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::string out;
  char buffer[16384];
  while (out.size() <= most) {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, left_ms(deadline)) <= 0) return std::nullopt;
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return std::nullopt;
    const auto* end = static_cast<const char*>(std::memchr(buffer, '\n', static_cast<size_t>(n)));
    out.append(buffer, end != nullptr ? static_cast<size_t>(end - buffer) : static_cast<size_t>(n));
    if (end != nullptr) return out;
  }
  return std::nullopt;
}

bool write_all(int fd, std::string_view text, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!text.empty()) {
    pollfd p{fd, POLLOUT, 0};
    if (poll(&p, 1, left_ms(deadline)) <= 0) return false;
    const ssize_t n = send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) return false;
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

Result<Fd> dial(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return io("no socket", path);
  TRY(const Address address, address_of(path));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.name), sizeof address.name) != 0) {
    return make_error(ErrorKind::kUnavailable, std::string("no sensor answers: ") + std::strerror(errno), path,
                      "start it with `entente sensor run`");
  }
  return fd;
}

}  // namespace

Result<std::string> control(const std::string& path, std::string_view request, int timeout_ms) {
  if (request.size() > kMaxRequest || request.find('\n') != std::string_view::npos)
    return invalid("a request is one line of at most 64 KiB");
  TRY(const Fd fd, dial(path));
  if (!write_all(fd.get(), std::string(request) + "\n", timeout_ms))
    return make_error(ErrorKind::kUnavailable, "the sensor does not listen", path);
  auto answer = read_line(fd.get(), kMaxAnswer, timeout_ms);
  if (!answer) return make_error(ErrorKind::kUnavailable, "the sensor gave no answer in time", path);
  return std::move(*answer);
}

struct ControlServer::State {
  std::string path;
  std::function<std::string(std::string_view)> answer;
  int listening = -1;
  int wake[2] = {-1, -1};
  std::thread thread;

  void run() const {
    while (true) {
      pollfd p[2] = {{listening, POLLIN, 0}, {wake[0], POLLIN, 0}};
      if (poll(p, 2, -1) < 0 && errno != EINTR) return;
      if ((p[1].revents & (POLLIN | POLLHUP)) != 0) return;
      if ((p[0].revents & POLLIN) == 0) continue;
      const Fd peer(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
      if (peer.get() < 0) continue;
      // One at a time: a person types them. Who sends nothing waits no longer than two seconds.
      if (const auto line = read_line(peer.get(), kMaxRequest, 2000))
        (void)write_all(peer.get(), answer(*line) + "\n", 5000);
    }
  }
};

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& path,
                                                           std::function<std::string(std::string_view)> answer) {
  if (dial(path).ok())
    return make_error(ErrorKind::kConflict, "a sensor is running with this state folder", path,
                      "stop it first, or give this one a folder of its own");
  auto state = std::make_unique<State>();
  state->path = path;
  state->answer = std::move(answer);
  unlink(path.c_str());
  state->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  TRY(const Address address, address_of(path));
  // Mode before the socket can be reached: the folder of a bound socket may be readable by all.
  const mode_t old = umask(0177);
  const bool bound = state->listening >= 0 &&
                     bind(state->listening, reinterpret_cast<const sockaddr*>(&address.name), sizeof address.name) == 0;
  umask(old);
  if (!bound || listen(state->listening, 16) != 0 || pipe2(state->wake, O_CLOEXEC) != 0) {
    Error error = io("cannot listen", path);
    if (state->listening >= 0) close(state->listening);
    return error;
  }
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(state)));
  server->state_->thread = std::thread([s = server->state_.get()] { s->run(); });
  return server;
}

ControlServer::~ControlServer() {
  close(state_->wake[1]);
  if (state_->thread.joinable()) state_->thread.join();
  close(state_->wake[0]);
  close(state_->listening);
  unlink(state_->path.c_str());
}

}  // namespace entente::sensor
