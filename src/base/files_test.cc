#include "base/files.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace entente {
namespace {

// Both implementations must behave alike, or what is tested in memory says nothing about the disk.
template <class T>
class FilesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files_.make_dirs(dir_).ok()); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  T files_;
  std::string dir_ = testing::TempDir() + "entente-files-" + std::to_string(::getpid());
};
using Both = testing::Types<PosixFiles, MemFiles>;
TYPED_TEST_SUITE(FilesTest, Both);

TYPED_TEST(FilesTest, WritesAppendsTruncatesAndRemoves) {
  Files& f = this->files_;
  const std::string p = this->dir_ + "/a";
  EXPECT_EQ(f.read(p).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(f.size(p).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(f.truncate(p, 0).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(f.remove(p).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(f.exists(p));
  EXPECT_TRUE(f.append(p, "one", false).ok());
  EXPECT_TRUE(f.append(p, "two", true).ok());
  EXPECT_EQ(f.read(p).value(), "onetwo");
  EXPECT_EQ(f.size(p).value(), 6u);
  EXPECT_TRUE(f.truncate(p, 4).ok());
  EXPECT_EQ(f.read(p).value(), "onet");
  EXPECT_TRUE(f.write_atomic(p, "new").ok());
  EXPECT_EQ(f.read(p).value(), "new");
  EXPECT_TRUE(f.exists(p));
  EXPECT_TRUE(f.remove(p).ok());
  EXPECT_FALSE(f.exists(p));
  EXPECT_TRUE(f.append(p, "x", true).ok());
  EXPECT_EQ(f.read(p).value(), "x");
}

TYPED_TEST(FilesTest, ListsNamesOfFilesAndFolders) {
  Files& f = this->files_;
  ASSERT_TRUE(f.make_dirs(this->dir_ + "/sub/deep").ok());
  ASSERT_TRUE(f.write_atomic(this->dir_ + "/b", "").ok());
  ASSERT_TRUE(f.write_atomic(this->dir_ + "/a", "").ok());
  ASSERT_TRUE(f.write_atomic(this->dir_ + "/sub/c", "").ok());
  EXPECT_EQ(f.list(this->dir_).value(), (std::vector<std::string>{"a", "b", "sub"}));
  EXPECT_EQ(f.list(this->dir_ + "/sub").value(), (std::vector<std::string>{"c", "deep"}));
  EXPECT_EQ(f.list(this->dir_ + "/none").error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(f.exists(this->dir_ + "/sub"));
}

TYPED_TEST(FilesTest, NeedsTheFolder) {
  EXPECT_EQ(this->files_.append(this->dir_ + "/none/a", "x", true).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(static_cast<Files&>(this->files_).write_atomic(this->dir_ + "/none/a", "x").error().kind,
            ErrorKind::kNotFound);
}

TEST(PosixFilesTest, ModeIsExact) {
  PosixFiles f;
  const std::string p = testing::TempDir() + "entente-mode-" + std::to_string(::getpid());
  ASSERT_TRUE(f.write_atomic(p, "x", 0600).ok());
  struct stat st{};
  ASSERT_EQ(::stat(p.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  ::unlink(p.c_str());
}

TEST(MemFilesTest, CrashKeepsWhatWasSyncedAndNothingElse) {
  MemFiles m;
  Files& f = m;
  ASSERT_TRUE(f.append("a", "synced", true).ok());
  ASSERT_TRUE(f.append("a", "lost", false).ok());
  ASSERT_TRUE(f.append("b", "lost", false).ok());
  ASSERT_TRUE(f.write_atomic("c", "kept").ok());
  ASSERT_TRUE(f.write_atomic("d", "kept").ok());
  ASSERT_TRUE(f.remove("d").ok());
  EXPECT_EQ(f.read("a").value(), "syncedlost");
  m.crash();
  EXPECT_EQ(f.read("a").value(), "synced");
  EXPECT_FALSE(f.exists("b"));
  EXPECT_EQ(f.read("c").value(), "kept");
  EXPECT_EQ(f.read("d").value(), "kept");  // its removal was not synced
}

TEST(MemFilesTest, TheNthWriteFailsHalfDoneAndSoDoAllLater) {
  MemFiles m;
  Files& f = m;
  m.fail_at(1);
  EXPECT_TRUE(f.append("a", "12", true).ok());
  EXPECT_FALSE(f.append("a", "3456", true).ok());
  EXPECT_EQ(f.read("a").value(), "1234");
  EXPECT_FALSE(f.append("a", "7", true).ok());
  EXPECT_FALSE(f.write_atomic("b", "whole").ok());
  EXPECT_FALSE(f.exists("b"));
  EXPECT_EQ(m.writes(), 4);
  m.kill();
  EXPECT_EQ(f.read("a").value(), "1234");
  EXPECT_TRUE(f.append("a", "5", true).ok());
}

TEST(MemFilesTest, AHalfDoneAtomicWriteLeavesTheOldFile) {
  MemFiles m;
  Files& f = m;
  ASSERT_TRUE(f.write_atomic("a", "old").ok());
  m.fail_at(0);
  EXPECT_FALSE(f.write_atomic("a", "newer").ok());
  EXPECT_EQ(f.read("a").value(), "old");
  EXPECT_TRUE(f.exists("a.tmp"));
  m.crash();
  EXPECT_FALSE(f.exists("a.tmp"));
  EXPECT_EQ(f.read("a").value(), "old");
}

}  // namespace
}  // namespace entente
