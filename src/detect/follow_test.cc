// A log that is written, rotated in the ways of logrotate and Zeek, and followed by a program that is killed at any
// moment: at the end every line was told exactly once, as the positions and the note of one commit say.
#include "detect/follow.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

namespace entente::detect {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("entente_follow_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  static inline int count_ = 0;
  fs::path path_;
};

std::shared_ptr<const Index> index() {
  Builder b;
  b.add({.id = "i"}, {{pattern::AtomKind::kDomainTree, "evil.example", {}}});
  return std::move(b).build();
}

void append(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}
std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void compress(const std::string& path) {
  const std::string text = read(path);
  const auto time = fs::last_write_time(path);
  gzFile out = gzopen((path + ".gz").c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  fs::last_write_time(path + ".gz", time);
  fs::remove(path);
}

// The program: its output is cut back at each start to what the last commit says.
struct Program {
  std::shared_ptr<const Index> set = index();
  PosixFiles files;
  std::string log, state;
  std::vector<std::string> output;
  std::unique_ptr<Follower> follower;

  void start() {
    follower = std::make_unique<Follower>(std::vector<std::string>{log}, state, files, *set,
                                          [this](const HuntMatch& m) { output.push_back(m.value); });
    const Status s = follower->start();
    ASSERT_TRUE(s.ok()) << s.error().text();
  }
  // What start() finds in compressed files it tells at once: the output is cut before.
  void kill_and_start() {
    follower.reset();
    Follower reader({log}, state, files, *set, [](const HuntMatch&) {});
    ASSERT_TRUE(reader.start().ok());
    output.resize(reader.note().empty() ? 0 : std::stoul(reader.note()));
    start();
  }
  void poll() { ASSERT_TRUE(follower->poll().ok()); }
  void commit() { ASSERT_TRUE(follower->commit(std::to_string(output.size())).ok()); }
};

TEST(Follow, EveryLineIsToldOnceAcrossRotationAndKill) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const Folder folder;
    Program p;
    p.log = folder.file("dns.log");
    p.state = folder.file("state.json");
    p.start();
    std::mt19937 r(seed);
    std::vector<std::string> expected;
    int number = 0, rotations = 0;
    std::string half;  // the rest of a line that is half written
    auto clock = fs::file_time_type::clock::now() - std::chrono::hours(1);
    const auto touch = [&](const std::string& path) { fs::last_write_time(path, clock += std::chrono::seconds(1)); };
    const auto write = [&] {
      std::string text = std::exchange(half, {});
      for (auto n = r() % 20; n > 0; --n) {
        const std::string value = "n" + std::to_string(number++) + ".evil.example";
        expected.push_back(value);
        text += "seen " + value + " at some time\nnothing\n";
      }
      if (r() % 3 == 0) {
        const std::string value = "n" + std::to_string(number++) + ".evil.example";
        expected.push_back(value);
        text += "half " + value.substr(0, 3);
        half = value.substr(3) + " end\n";
      }
      append(p.log, text);
      touch(p.log);
    };
    const auto end_line = [&] {
      append(p.log, std::exchange(half, {}));
      touch(p.log);
    };
    std::string story;  // told if it goes wrong
    for (int step = 0; step < 80; ++step) {
      const auto what = r() % 8;
      story += static_cast<char>('0' + what);
      story += "@" + std::to_string(number) + " ";
      switch (what) {
        case 0:
        case 1:
        case 2:
          write();
          break;
        case 3:
          p.poll();
          break;
        case 4:
          p.poll();
          p.commit();
          break;
        case 5:
          p.kill_and_start();
          break;
        case 6: {  // by name, now and then compressed at once
          if (!fs::exists(p.log)) break;
          end_line();
          const std::string to = p.log + "." + std::to_string(++rotations);
          fs::rename(p.log, to);
          // A compressed file cannot be told apart until it is finished: the follower must not hold it half read.
          if (r() % 2 == 0) {
            compress(to);
            story += "gz ";
          }
          write();
          break;
        }
        default: {  // copied and truncated
          if (!fs::exists(p.log) || r() % 2 == 0) break;
          end_line();
          const std::string to = p.log + "." + std::to_string(++rotations);
          fs::copy_file(p.log, to);
          touch(to);
          fs::resize_file(p.log, 0);
          p.poll();
        }
      }
    }
    end_line();
    for (int i = 0; i < 5; ++i) p.poll();
    p.commit();
    p.kill_and_start();
    for (int i = 0; i < 5; ++i) p.poll();
    std::vector<std::string> got = p.output;
    std::sort(got.begin(), got.end());
    std::sort(expected.begin(), expected.end());
    std::vector<std::string> missed, twice;
    std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missed));
    std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(twice));
    ASSERT_THAT(missed, IsEmpty()) << "seed " << seed << ": " << story;
    ASSERT_THAT(twice, IsEmpty()) << "seed " << seed << ": " << story;
    ASSERT_THAT(p.follower->report().notes, IsEmpty()) << "seed " << seed << ": " << story;
  }
}

TEST(Follow, HeaderOfZeekLogsIsKnownAfterARestartAndRecordsGoOn) {
  const Folder folder;
  PosixFiles files;
  const auto set = index();
  const std::string log = folder.file("http.log"), state = folder.file("state");
  std::vector<std::string> got;
  const auto sink = [&](const HuntMatch& m) { got.push_back(m.field + " " + std::to_string(m.record)); };
  append(log, "#separator \\x09\n#fields\tts\thost\n#types\ttime\tstring\n1.5\ta.evil.example\n");
  {
    Follower f({log}, state, files, *set, sink);
    ASSERT_TRUE(f.start().ok());
    ASSERT_TRUE(f.poll().ok());
    ASSERT_TRUE(f.commit("").ok());
  }
  append(log, "2.5\tb.evil.example\n");
  Follower f({log}, state, files, *set, sink);
  ASSERT_TRUE(f.start().ok());
  ASSERT_TRUE(f.poll().ok());
  EXPECT_THAT(got, testing::ElementsAre("host 4", "host 5"));
}

TEST(Follow, ALogThatIsGoneIsSaidAndADamagedStateIsRefused) {
  const Folder folder;
  PosixFiles files;
  const auto set = index();
  const std::string log = folder.file("a.log"), state = folder.file("state");
  append(log, "x.evil.example\n");
  {
    Follower f({log}, state, files, *set, [](const HuntMatch&) {});
    ASSERT_TRUE(f.start().ok());
    ASSERT_TRUE(f.poll().ok());
    ASSERT_TRUE(f.commit("n").ok());
  }
  fs::remove(log);
  append(log, "another file\n");
  {
    Follower f({log}, state, files, *set, [](const HuntMatch&) {});
    ASSERT_TRUE(f.start().ok());
    EXPECT_EQ(f.note(), "n");
    EXPECT_THAT(f.report().notes, testing::ElementsAre(HasSubstr("rotated away")));
  }
  ASSERT_TRUE(files.write_atomic(state, "{broken", 0644).ok());
  Follower f({log}, state, files, *set, [](const HuntMatch&) {});
  EXPECT_FALSE(f.start().ok());
}

}  // namespace
}  // namespace entente::detect
