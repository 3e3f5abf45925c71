#include "detect/follow.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "detect/compound.h"
#include "detect/internal/input.h"
#include "detect/internal/line_hunter.h"
#include "json/json.h"

namespace entente::detect {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHead = 1024;  // octets by which a file is known again
constexpr size_t kRead = 1u << 20;
constexpr int kQuietPolls = 2;        // a file that was rotated away is given up after so many polls without growth
constexpr size_t kRemembered = 1000;  // files that were read to their end

struct Mark {  // what a file is known by
  uint64_t device = 0, inode = 0;
  size_t head_size = 0;
  std::string head = {};  // SHA-256 of its first head_size octets, hex
  uint64_t size = 0;      // when it was done; 0: not known, as of what is compressed
};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Fd open_file(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

std::string head_of(int fd, size_t size) {
  std::string out(size, '\0');
  const ssize_t n = ::pread(fd, out.data(), size, 0);
  out.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return out;
}

bool is_compressed(std::string_view head) {
  return head.starts_with("\x1f\x8b") || head.starts_with("\x28\xb5\x2f\xfd");
}

bool fits(const Mark& mark, std::string_view head) {
  return head.size() >= mark.head_size && sha256_hex(head.substr(0, mark.head_size)) == mark.head;
}

// One file that a log's name stands for or once stood for.
struct Generation {
  Fd fd;
  Mark mark;
  uint64_t offset = 0, lines = 0;  // whole lines that were searched
  int quiet = 0;
  std::unique_ptr<LineHunter> hunter;
};

struct Log {
  std::string path;
  std::deque<Generation> open;  // the oldest first; the last is the one that the name stood for at the last look
  std::deque<Mark> done;
  fs::file_time_type folder_time{};
};

std::string member(std::string_view name, uint64_t value) { return fmt::format("\"{}\":{}", name, value); }

std::string to_text(const Mark& m) {
  return fmt::format("{},{},{},{},\"head\":\"{}\"", member("device", m.device), member("inode", m.inode),
                     member("head_size", m.head_size), member("size", m.size), m.head);
}

uint64_t number(const json::Value& v, std::string_view name) {
  return static_cast<uint64_t>(json::find_int(v, name).value_or(0));
}
Mark mark_of(const json::Value& v) {
  return {.device = number(v, "device"),
          .inode = number(v, "inode"),
          .head_size = number(v, "head_size"),
          .head = std::string(json::find_string(v, "head").value_or("")),
          .size = number(v, "size")};
}

}  // namespace

struct Follower::State {
  std::deque<Log> logs;
  std::string file;
  Files& files;
  const Index& index;
  std::function<void(const HuntMatch&)> sink;
  HuntOptions options;
  HuntReport report;
  std::string note;
  std::string buffer = std::string(kRead + 2 * Input::kPad, '\n');
  // Compound patterns are bound as lines come; what waits for its other half is not kept over a restart.
  std::unique_ptr<Binder> binder = nullptr;
  std::unique_ptr<RecordScan> scan = nullptr;
  uint64_t bound = 0;
  size_t noted = 0;

  void tell_binder() {
    if (binder == nullptr) return;
    const uint64_t now = binder->matches();
    report.matches += now - bound;
    bound = now;
    // Each cause once, when it first occurs.
    const auto all = binder->notes();
    for (; noted < all.size(); ++noted) report.notes.push_back(all[noted]);
  }

  std::unique_ptr<LineHunter> hunter(const std::string& path) {
    return std::make_unique<LineHunter>(path, index, sink, options, report, scan.get());
  }

  // What stands at the beginning of a file says how its lines are to be read (Zeek's TSV).
  void resume(const Log& log, Generation& g) {
    g.hunter = hunter(log.path);
    if (g.offset > 0) g.hunter->resume(head_of(g.fd.get(), std::min<uint64_t>(g.offset, 64u << 10)), g.lines);
  }

  static void renew(Generation& g) {
    struct stat s{};
    if (::fstat(g.fd.get(), &s) != 0) return;
    g.mark.device = s.st_dev;
    g.mark.inode = s.st_ino;
    if (g.mark.head_size >= kHead) return;
    const std::string head = head_of(g.fd.get(), kHead);
    g.mark.head_size = head.size();
    g.mark.head = sha256_hex(head);
  }

  Status load() {
    const auto text = files.read(file);
    if (!text.ok() && text.error().kind != ErrorKind::kNotFound) return text.error();
    std::set<std::string> known;
    if (text.ok()) {
      auto doc = json::parse(*text);
      if (!doc.ok()) return doc.error().at(file);
      note = json::find_string(doc->root(), "note").value_or("");
      const auto list = json::find_array(doc->root(), "logs");
      if (!list) return make_error(ErrorKind::kInvalid, "holds no positions", file, "remove it to begin anew");
      for (const json::Value v : *list) {
        const auto path = json::find_string(v, "path").value_or("");
        const auto log = std::find_if(logs.begin(), logs.end(), [&](const Log& l) { return l.path == path; });
        if (log == logs.end()) continue;
        known.insert(log->path);
        load(*log, v);
      }
    }
    // Of a log that is new here, what was rotated away before is history.
    for (Log& log : logs) {
      if (known.contains(log.path)) continue;
      for (const Sibling& s : siblings(log.path))
        if (s.path != log.path) remember(log, mark_of_file(s));
      look(log);
    }
    return known.size() == logs.size() ? Status{} : files.write_atomic(file, positions());
  }

  void load(Log& log, const json::Value& v) {
    if (const auto done = json::find_array(v, "done"))
      for (const json::Value d : *done) log.done.push_back(mark_of(d));
    std::vector<Generation> saved;
    if (const auto open = json::find_array(v, "open")) {
      for (const json::Value o : *open) {
        Generation g;
        g.mark = mark_of(o);
        g.offset = number(o, "offset");
        g.lines = number(o, "lines");
        saved.push_back(std::move(g));
      }
    }
    find_again(log, std::move(saved));
  }

  struct Sibling {
    std::string path;
    fs::file_time_type time;
    struct stat s{};
  };
  // The log itself and the files beside it whose names begin like it, the oldest first.
  static std::vector<Sibling> siblings(const std::string& path) {
    std::vector<Sibling> out;
    const fs::path p(path);
    const fs::path folder = p.has_parent_path() ? p.parent_path() : fs::path(".");
    // "dns.log" is rotated to "dns.log.1", "dns.log-20260101", or (Zeek) "dns.2026-….log".
    const std::string whole = p.filename().string(), stem = p.stem().string() + ".";
    const auto is_sibling = [&](const std::string& name) {
      if (name.starts_with(whole))
        return name.size() == whole.size() ||
               std::string_view(".-_").find(name[whole.size()]) != std::string_view::npos;
      return name.starts_with(stem) && name.size() > stem.size() &&
             std::isdigit(static_cast<unsigned char>(name[stem.size()])) != 0;
    };
    std::error_code ec;
    for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
      const std::string name = it->path().filename().string();
      if (!is_sibling(name)) continue;
      Sibling s{.path = it->path().string(), .time = {}};
      if (::stat(s.path.c_str(), &s.s) != 0 || !S_ISREG(s.s.st_mode)) continue;
      s.time = it->last_write_time(ec);
      out.push_back(std::move(s));
    }
    std::sort(out.begin(), out.end(), [](const Sibling& a, const Sibling& b) { return a.time < b.time; });
    return out;
  }

  // After a restart: the files of the saved positions under the names they have now, and those that came since.
  void find_again(Log& log, std::vector<Generation> saved) {
    const auto beside = siblings(log.path);
    std::vector<bool> taken(beside.size());
    for (Generation& g : saved) {
      // By place and beginning; else, copied or compressed, by its beginning. What was not begun is found as new.
      bool found = g.offset == 0;
      for (const bool same_place : {true, false}) {
        for (size_t i = 0; i < beside.size() && !g.fd && g.quiet == 0; ++i) {
          const Sibling& s = beside[i];
          const bool here = s.s.st_dev == g.mark.device && s.s.st_ino == g.mark.inode;
          if (taken[i] || here != same_place || (!here && g.offset == 0)) continue;
          if (resume_in(log, g, s)) taken[i] = found = true;
        }
      }
      if (g.fd) {
        log.open.push_back(std::move(g));
      } else if (!found) {
        report.notes.push_back(fmt::format(
            "{}: a file that was being read was rotated away and is not found beside it: what was written to "
            "it after {} octets is not searched",
            log.path, g.offset));
      }
    }
    discover(log);
  }

  static bool is_open(const Log& log, const Sibling& s) {
    return std::any_of(log.open.begin(), log.open.end(),
                       [&](const Generation& g) { return g.mark.device == s.s.st_dev && g.mark.inode == s.s.st_ino; });
  }

  // Files beside the log that are neither being read nor done: they came and went unseen. The oldest first.
  void discover(Log& log) {
    for (const Sibling& s : siblings(log.path)) {
      if (s.path == log.path) continue;
      if (is_open(log, s)) continue;
      std::string head;
      const Mark mark = mark_of_file(s, &head);
      const auto same = [&](const Mark& m) {
        return m.head == mark.head && m.head_size == mark.head_size &&
               ((m.device == mark.device && m.inode == mark.inode) || m.size == 0 || mark.size == 0 ||
                m.size == mark.size);
      };
      // Or it is a copy of what is being read, that one compressed or about to be truncated: then truncated() asks for
      // it.
      const auto copied = [&](const Generation& g) {
        if (g.offset > 0 && fits(g.mark, head)) return true;
        const std::string other = head_of(g.fd.get(), kHead);
        const size_t n = std::min(head.size(), other.size());
        return n > 0 && head.compare(0, n, other, 0, n) == 0;
      };
      const bool known =
          std::any_of(log.done.begin(), log.done.end(), same) || std::any_of(log.open.begin(), log.open.end(), copied);
      if (known) continue;
      Generation g;
      if (!resume_in(log, g, s) || !g.fd) continue;
      // Before the one that the name stands for.
      auto at = log.open.end();
      struct stat now{};
      if (!log.open.empty() && ::stat(log.path.c_str(), &now) == 0 && log.open.back().mark.inode == now.st_ino) --at;
      log.open.insert(at, std::move(g));
    }
  }

  static Mark mark_of_file(const Sibling& s, std::string* first = nullptr) {
    Mark mark{.device = static_cast<uint64_t>(s.s.st_dev), .inode = static_cast<uint64_t>(s.s.st_ino)};
    const auto input = Input::open(s.path);
    std::string head;
    while (input.ok() && head.size() < kHead) {
      const auto piece = (*input)->read();
      if (!piece.ok() || piece->empty()) break;
      head += *piece;
    }
    head.resize(std::min(head.size(), kHead));
    mark.head_size = head.size();
    mark.head = sha256_hex(head);
    const Fd fd = open_file(s.path);
    if (fd && !is_compressed(head_of(fd.get(), 4))) mark.size = static_cast<uint64_t>(s.s.st_size);
    if (first != nullptr) *first = std::move(head);
    return mark;
  }

  // Goes on with `g` in this file; true if it is the one. What is compressed does not grow: it is read at once, and
  // then g has no file but is done.
  bool resume_in(Log& log, Generation& g, const Sibling& s) {
    Fd fd = open_file(s.path);
    if (!fd) return false;
    if (!is_compressed(head_of(fd.get(), 4))) {
      if (static_cast<uint64_t>(s.s.st_size) < g.offset || !fits_or_new(g.mark, head_of(fd.get(), kHead))) return false;
      g.fd = std::move(fd);
      renew(g);
      resume(log, g);
      return true;
    }
    // Who compresses it may still be at it.
    if (fs::file_time_type::clock::now() - s.time < std::chrono::seconds(2)) return false;
    auto input = Input::open(s.path);
    if (!input.ok()) return false;
    std::string head;
    std::string rest;
    uint64_t at = 0;
    bool known = false;
    auto reader = hunter(log.path);
    while (true) {
      const auto piece = (*input)->read();
      if (!piece.ok() || piece->empty()) break;
      if (!known) {
        head += *piece;
        if (head.size() < std::max(kHead, g.mark.head_size)) continue;
        if (!fits_or_new(g.mark, head)) return false;
        known = true;
        rest = head;
      } else {
        rest.assign(*piece);
      }
      give(*reader, g, at, rest);
      at += rest.size();
    }
    if (!known) {
      if (!fits_or_new(g.mark, head)) return false;
      give(*reader, g, at, head);
    }
    reader->finish();
    g.quiet = kQuietPolls;
    remember(log, {.device = static_cast<uint64_t>(s.s.st_dev),
                   .inode = static_cast<uint64_t>(s.s.st_ino),
                   .head_size = std::min(head.size(), kHead),
                   .head = sha256_hex(head.substr(0, kHead))});
    return true;
  }
  static bool fits_or_new(const Mark& mark, std::string_view head) { return mark.head.empty() || fits(mark, head); }

  // Of octets that begin at `at`, those behind the position; the first of them tells the reader how lines are written.
  static void give(LineHunter& reader, const Generation& g, uint64_t at, std::string_view bytes) {
    if (at == 0 && g.offset > 0) reader.resume(bytes.substr(0, std::min<uint64_t>(g.offset, bytes.size())), g.lines);
    if (at + bytes.size() <= g.offset) return;
    if (at < g.offset) bytes.remove_prefix(g.offset - at);
    reader.feed(bytes);
  }

  static void remember(Log& log, Mark mark) {
    log.done.push_back(std::move(mark));
    if (log.done.size() > kRemembered) log.done.pop_front();
  }

  // Has the name come to stand for another file?
  void look(Log& log) {
    struct stat s{};
    if (::stat(log.path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) return;
    // At any place of the list: the inode of an empty file that went away may come back as the log's.
    const auto it = std::find_if(log.open.begin(), log.open.end(), [&](const Generation& g) {
      return g.mark.device == s.st_dev && g.mark.inode == s.st_ino;
    });
    if (it != log.open.end()) {
      std::rotate(it, it + 1, log.open.end());
      return;
    }
    Generation g;
    g.fd = open_file(log.path);
    if (!g.fd) return;
    renew(g);
    resume(log, g);
    if (!log.open.empty()) log.open.back().quiet = 0;  // its writer may not have let go of it yet
    log.open.push_back(std::move(g));
  }

  Result<uint64_t> read(Log& log, Generation& g, bool last) {
    struct stat s{};
    if (::fstat(g.fd.get(), &s) != 0)
      return make_error(ErrorKind::kIo, std::string("cannot look at the log: ") + std::strerror(errno), log.path,
                        "check the disk");
    if (static_cast<uint64_t>(s.st_size) < g.offset || !fits(g.mark, head_of(g.fd.get(), kHead))) {
      TRY(const uint64_t n, truncated(log, g));
      return n;
    }
    renew(g);
    uint64_t lines = 0;
    while (true) {
      const ssize_t n = ::pread(g.fd.get(), buffer.data() + Input::kPad, kRead, static_cast<off_t>(g.offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        return make_error(ErrorKind::kIo, std::string("cannot read: ") + std::strerror(errno), log.path,
                          "check the file and the disk");
      std::string_view bytes(buffer.data() + Input::kPad, static_cast<size_t>(n));
      const bool end = bytes.size() < kRead;
      // Whole lines only, so that a position is always between lines; a line longer than a piece goes as it comes, and
      // what never gets its end with the file's own.
      const size_t newline = bytes.rfind('\n');
      if (newline != std::string_view::npos) {
        bytes = bytes.substr(0, newline + 1);
      } else if (end && !(last && !bytes.empty())) {
        break;
      }
      const uint64_t before = g.hunter->lines();
      g.hunter->feed(bytes, Input::kPad);
      if (newline == std::string_view::npos && end) g.hunter->finish();
      lines += g.hunter->lines() - before;
      g.offset += bytes.size();
      if (end) break;
    }
    g.lines = g.hunter->lines();
    g.quiet = lines > 0 ? 0 : g.quiet + 1;
    return lines;
  }

  // In place: what was not read may stand in the copy that was made of it. Then the file is begun anew.
  Result<uint64_t> truncated(Log& log, Generation& g) {
    std::optional<Generation> copy;
    for (const Sibling& s : siblings(log.path)) {
      if (is_open(log, s)) continue;
      Generation c;
      c.mark = g.mark;
      c.offset = g.offset;
      c.lines = g.lines;
      if (!resume_in(log, c, s)) continue;
      if (c.fd) copy = std::move(c);
      break;
    }
    g.offset = g.lines = 0;
    g.mark = {};
    renew(g);
    resume(log, g);
    if (!copy) return 0;
    const auto at = std::find_if(log.open.begin(), log.open.end(), [&](const Generation& o) { return &o == &g; });
    log.open.insert(at, std::move(*copy));
    return 0;
  }

  Result<uint64_t> poll(Log& log) {
    look(log);
    // Files come and go without the name changing hands, too. A folder's time is coarse: young ones are looked at
    // again.
    std::error_code ec;
    const fs::path folder = fs::path(log.path).parent_path();
    const auto changed = fs::last_write_time(folder.empty() ? "." : folder, ec);
    if (!ec && (changed != log.folder_time || fs::file_time_type::clock::now() - changed < std::chrono::seconds(5))) {
      log.folder_time = changed;
      discover(log);
    }
    uint64_t lines = 0;
    for (size_t i = 0; i < log.open.size(); ++i) {
      const bool rotated = i + 1 < log.open.size();
      // The writer may still hold a file that was rotated away: only when it has been quiet is its last line its last.
      const bool last = rotated && log.open[i].quiet >= kQuietPolls - 1;
      const size_t count = log.open.size();
      TRY(const uint64_t n, read(log, log.open[i], last));
      lines += n;
      if (log.open.size() != count) {  // a copy was put before: it is read first
        --i;
        continue;
      }
      if (rotated && log.open[i].quiet >= kQuietPolls) {
        log.open[i].hunter->finish();
        struct stat s{};
        renew(log.open[i]);
        if (::fstat(log.open[i].fd.get(), &s) == 0) log.open[i].mark.size = static_cast<uint64_t>(s.st_size);
        remember(log, log.open[i].mark);
        log.open.erase(log.open.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
      }
    }
    return lines;
  }

  [[nodiscard]] std::string positions() {
    std::string out = "{\"note\":" + json::quoted(note) + ",\"logs\":[";
    for (Log& log : logs) {
      if (&log != &logs.front()) out += ',';
      out += "\n{\"path\":" + json::quoted(log.path) + ",\"open\":[";
      for (Generation& g : log.open) {
        renew(g);
        if (&g != &log.open.front()) out += ',';
        out += "{" + to_text(g.mark) + "," + member("offset", g.offset) + "," + member("lines", g.lines) + "}";
      }
      out += "],\"done\":[";
      for (const Mark& m : log.done) {
        if (&m != &log.done.front()) out += ',';
        out += "{" + to_text(m) + "}";
      }
      out += "]}";
    }
    return out + "]}\n";
  }
};

Follower::Follower(std::vector<std::string> logs, std::string state, Files& files, const Index& index,
                   std::function<void(const HuntMatch&)> sink, const HuntOptions& options)
    : state_(new State{.logs = {},
                       .file = std::move(state),
                       .files = files,
                       .index = index,
                       .sink = std::move(sink),
                       .options = options,
                       .report = {},
                       .note = {}}) {
  if (options.compounds != nullptr && options.compounds->size() > 0) {
    state_->binder = std::make_unique<Binder>(*options.compounds, state_->sink, BinderOptions{.max_bytes = 0});
    state_->scan = std::make_unique<RecordScan>(*options.compounds, *state_->binder);
  }
  for (auto& path : logs) {
    Log log;
    log.path = std::move(path);
    state_->logs.push_back(std::move(log));
  }
}
Follower::~Follower() = default;

Status Follower::start() {
  CHECK_OK(state_->load());
  state_->tell_binder();
  return {};
}
const std::string& Follower::note() const { return state_->note; }
const HuntReport& Follower::report() const { return state_->report; }

Result<uint64_t> Follower::poll() {
  uint64_t lines = 0;
  for (Log& log : state_->logs) {
    TRY(const uint64_t n, state_->poll(log));
    lines += n;
  }
  state_->tell_binder();
  return lines;
}

Status Follower::commit(std::string note) {
  state_->note = std::move(note);
  return state_->files.write_atomic(state_->file, state_->positions());
}

}  // namespace entente::detect
