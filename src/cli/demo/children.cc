#include "cli/demo/children.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace entente::cli::demo {

namespace {

std::atomic<int> caught{0};  // the signal

void on_signal(int signal) { caught = signal; }

Error system_error(const std::string& what, const std::string& where) {
  return make_error(ErrorKind::kIo, what + ": " + std::strerror(errno), where);
}

// Descriptors of the child; -1 = /dev/null.
struct Streams {
  int in = -1, out = -1, err = -1;
};

// Between fork and exec only calls that are safe there.
Result<int> spawn(const std::vector<std::string>& argv, int network, const Streams& streams) {
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  const int parent = getpid();
  const int pid = fork();
  if (pid < 0) return system_error("no new process", argv[0]);
  if (pid > 0) return pid;
  // A group of its own: ctrl-C comes to the demo, which ends its children in order. If the demo dies, they go too.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);
  if (network >= 0 && setns(network, CLONE_NEWNET) != 0) _exit(126);
  const int null = open("/dev/null", O_RDWR);
  dup2(streams.in >= 0 ? streams.in : null, STDIN_FILENO);
  dup2(streams.out >= 0 ? streams.out : null, STDOUT_FILENO);
  dup2(streams.err >= 0 ? streams.err : null, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  execv(args[0], args.data());
  _exit(127);
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// A pipe or file that is closed on every way out.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

void watch_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaction(s, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return caught != 0; }

Error interruption() {
  return make_error(ErrorKind::kUnavailable, caught == SIGINT ? "stopped by ctrl-C" : "stopped by a signal", {},
                    "everything that was started has been ended");
}

Result<Ran> run_program(const std::vector<std::string>& argv, int network, const std::string& input) {
  std::array<int, 2> in{-1, -1}, out{-1, -1}, err{-1, -1};
  if (pipe2(in.data(), O_CLOEXEC) != 0) return system_error("no pipe", argv[0]);
  Fd in_read(in[0]), in_write(in[1]);
  if (pipe2(out.data(), O_CLOEXEC) != 0) return system_error("no pipe", argv[0]);
  Fd out_read(out[0]), out_write(out[1]);
  if (pipe2(err.data(), O_CLOEXEC) != 0) return system_error("no pipe", argv[0]);
  Fd err_read(err[0]), err_write(err[1]);
  TRY(const int pid, spawn(argv, network, {in_read.get(), out_write.get(), err_write.get()}));
  in_read.reset();
  out_write.reset();
  err_write.reset();
  size_t written = 0;
  Ran ran;
  bool told = false;
  while (out_read.get() >= 0 || err_read.get() >= 0) {
    if (interrupted() && !told) {
      kill(pid, SIGTERM);
      told = true;
    }
    if (in_write.get() >= 0 && written == input.size()) in_write.reset();
    std::array<pollfd, 3> fds{{{out_read.get(), POLLIN, 0}, {err_read.get(), POLLIN, 0}, {in_write.get(), POLLOUT, 0}}};
    if (poll(fds.data(), fds.size(), 100) < 0) continue;
    const auto drain = [](Fd& fd, std::string& into) {
      std::array<char, 65536> buffer;
      const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
      if (n > 0) into.append(buffer.data(), static_cast<size_t>(n));
      if (n == 0) fd.reset();
    };
    if (fds[0].revents != 0) drain(out_read, ran.out);
    if (fds[1].revents != 0) drain(err_read, ran.err);
    if ((fds[2].revents & POLLERR) != 0) {
      in_write.reset();
    } else if (fds[2].revents != 0) {
      const ssize_t n = write(in_write.get(), input.data() + written, std::min<size_t>(input.size() - written, 4096));
      if (n > 0) written += static_cast<size_t>(n);
    }
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ran.status = exit_code(status);
  if (interrupted()) return interruption();
  if (ran.status == 127) return make_error(ErrorKind::kNotFound, "this program cannot be started", argv[0]);
  return ran;
}

Result<Child> Child::start(const std::vector<std::string>& argv, const std::string& out_file,
                           const std::string& err_file, int network) {
  const Fd out(open(out_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const Fd err(open(err_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (out.get() < 0 || err.get() < 0) return system_error("the file cannot be written", out_file);
  Child c;
  TRY(c.pid_, spawn(argv, network, {-1, out.get(), err.get()}));
  return c;
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = std::exchange(other.pid_, -1);
    status_ = other.status_;
  }
  return *this;
}

bool Child::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  pid_ = -1;
  status_ = exit_code(status);
  return false;
}

int Child::stop(int patience_ms) {
  if (!running()) return status_;
  kill(pid_, SIGTERM);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (running()) {
    if (std::chrono::steady_clock::now() > end) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return status_;
}

std::string own_program() {
  std::error_code ec;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", ec);
  return ec ? std::string() : path.string();
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string places = std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin:/usr/bin:/bin";
  while (!places.empty()) {
    const size_t colon = places.find(':');
    const std::string place = places.substr(0, colon);
    places = colon == std::string::npos ? "" : places.substr(colon + 1);
    if (!place.empty() && access((place + "/" + name).c_str(), X_OK) == 0) return place + "/" + name;
  }
  return {};
}

}  // namespace entente::cli::demo
