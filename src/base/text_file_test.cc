#include "base/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <iterator>
#include <thread>
#include <vector>

#include "base/temporary_folder.h"

namespace switchyard::base {
namespace {

class WriteTextFileTest : public testing::Test {
 protected:
  std::ptrdiff_t FilesInFolder() const {
    const std::filesystem::directory_iterator files(folder_.path());
    return std::distance(begin(files), end(files));
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "text";
};

TEST_F(WriteTextFileTest, ReplacesWhatWasThere) {
  const std::string text("one\0two\n", 8);
  ASSERT_TRUE(WriteTextFile(path_, "what was there, and longer"));
  ASSERT_TRUE(WriteTextFile(path_, text));
  EXPECT_EQ(ReadTextFile(path_), text);
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(WriteTextFileTest, LeavesRightsToTheUsersMask) {
  const ::mode_t before = ::umask(027);
  ASSERT_TRUE(WriteTextFile(path_, ""));
  ::umask(before);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST_F(WriteTextFileTest, AFailureSaysWhyAndLeavesNothing) {
  std::filesystem::create_directory(path_);
  const Status into_a_folder = WriteTextFile(path_, "text");
  ASSERT_FALSE(into_a_folder);
  EXPECT_EQ(into_a_folder.error().message, "cannot write '" + path_.string() + "': Is a directory");
  EXPECT_EQ(FilesInFolder(), 1);
  const Status beside_nothing = WriteTextFile(folder_.path() / "none" / "text", "text");
  ASSERT_FALSE(beside_nothing);
  EXPECT_TRUE(beside_nothing.error().message.ends_with("No such file or directory"));
}

// Each reader finds all that one of the writers wrote.
TEST_F(WriteTextFileTest, WritersOfOneFileNeverMix) {
  const auto is_of_one = [](const std::string& text) {
    return text.size() == 100'000 && text.find_first_not_of(text.front()) == std::string::npos;
  };
  std::vector<std::jthread> writers;
  for (const char letter : {'a', 'b', 'c'}) {
    writers.emplace_back([this, letter] {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(WriteTextFile(path_, std::string(100'000, letter)));
    });
  }
  for (int i = 0; i < 50; ++i) {
    const auto text = ReadTextFile(path_);
    EXPECT_TRUE(!text || is_of_one(*text));
  }
  writers.clear();
  EXPECT_TRUE(is_of_one(ReadTextFile(path_).value_or("-")));
  EXPECT_EQ(FilesInFolder(), 1);
}

}  // namespace
}  // namespace switchyard::base
