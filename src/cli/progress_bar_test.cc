#include "cli/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/range_server.h"

namespace switchyard::cli {
namespace {

using testing::HasSubstr;

TEST(ProgressBar, CountsBytesInPowersOfTen) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 kB");
  EXPECT_EQ(FormatBytes(98'362'432), "98.4 MB");
  EXPECT_EQ(FormatBytes(999'999), "1.0 MB");
  EXPECT_EQ(FormatBytes(2'500'000'000'000'000), "2500.0 TB");
}

TEST(ProgressBar, TellsTime) {
  EXPECT_EQ(FormatDuration(std::chrono::seconds(5)), "0:05");
  EXPECT_EQ(FormatDuration(std::chrono::seconds(65)), "1:05");
  EXPECT_EQ(FormatDuration(std::chrono::seconds(7389)), "2:03:09");
}

TEST(ProgressBar, FitsItsLine) {
  const PullProgress progress{"a-model-with-quite-a-long-name-Q4_K_M.gguf", 25'000'000,
                              100'000'000};
  EXPECT_EQ(
      FormatProgress(progress, 5e6, 100).find("[#####...............]   25 %") != std::string::npos,
      true);
  EXPECT_THAT(FormatProgress(progress, 5e6, 120),
              HasSubstr("25.0 MB of 100.0 MB  5.0 MB/s  0:15 left"));
  for (std::size_t width = 50; width < 200; ++width) {
    EXPECT_LT(FormatProgress(progress, 5e6, width).size(), width);
  }
  EXPECT_EQ(FormatProgress({"x", 1000, std::nullopt}, 0, 10), "1.0 kB");
  EXPECT_THAT(FormatProgress({"x", 0, 0}, 0, 80), HasSubstr("0 B"));
}

TEST(ProgressBar, WritesPlainLinesWhereThereIsNoTerminal) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "out";
  std::FILE* stream = std::fopen(path.c_str(), "w");
  ASSERT_NE(stream, nullptr);
  ProgressBar bar(stream);
  bar.Finish();  // nothing was shown
  for (std::uint64_t i = 0; i <= 100; ++i) bar.Update({"x.gguf", i, 100});
  bar.Say("a notice");
  bar.Finish();
  std::fclose(stream);
  const std::string text = net::ReadWholeFile(path);
  EXPECT_THAT(text, testing::StartsWith("a notice\nx.gguf"));
  EXPECT_THAT(text, HasSubstr("100 %"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace switchyard::cli
