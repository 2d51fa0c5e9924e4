#include "net/sse_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace switchyard::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Data of each event, with its type before it; "-" where there is none.
std::vector<std::string> Read(std::string_view text, std::size_t piece) {
  SseReader reader;
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const auto status = reader.Push(text.substr(at, piece), [&](const SseEvent& event) {
      const std::string type = event.event.empty() ? "" : std::string(event.event) + "|";
      seen.push_back(type + (event.has_data ? std::string(event.data) : "-"));
      return true;
    });
    EXPECT_TRUE(status);
  }
  EXPECT_TRUE(reader.is_between_events());
  return seen;
}

TEST(SseReader, CutsEventsHoweverTheyCome) {
  constexpr std::string_view kText =
      "data: one\n\n: a comment\n\ndata:two\ndata: lines\n\n\n\nevent: error\r\ndata: x\r\n\r\n"
      "id: 7\rdata\r\rdata: {\"a\": \"b:c\"}\n\n";
  for (std::size_t piece = 1; piece <= kText.size(); ++piece) {
    EXPECT_THAT(Read(kText, piece), ElementsAre("one", "-", "two\nlines", "error|x", "",
                                                "{\"a\": \"b:c\"}"))
        << piece;
  }
}

TEST(SseReader, KeepsTheBytesOfAnEvent) {
  SseReader reader;
  std::string raw;
  ASSERT_TRUE(reader.Push("\ndata: a\r\n: b\r\n\r\n\r\ndata", [&](const SseEvent& event) {
    raw += event.raw;
    return true;
  }));
  EXPECT_EQ(raw, "data: a\r\n: b\r\n\r\n");
  EXPECT_FALSE(reader.is_between_events());
}

TEST(SseReader, RefusesEventsWithoutEnd) {
  SseReader reader(1000);
  const auto never = [](const SseEvent&) -> bool { throw std::logic_error("an event"); };
  base::Status status;
  for (int i = 0; i < 100 && status; ++i) status = reader.Push("data: 0123456789", never);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("1000 bytes"));
}

TEST(SseReader, StopsWhenTold) {
  SseReader reader;
  int seen = 0;
  const auto once = [&](const SseEvent&) { return ++seen < 1; };
  ASSERT_TRUE(reader.Push("data: [DONE]\n\ndata: more\n\n", once));
  ASSERT_TRUE(reader.Push("data: more\n\n", once));
  EXPECT_EQ(seen, 1);
}

RC_GTEST_PROP(SseReader, ReadsAnyBytes, (std::vector<std::uint8_t> bytes, std::uint8_t piece)) {
  std::string text;
  // Mostly what means something.
  for (const std::uint8_t byte : bytes) text += "\n\r: datx"[byte % 8];
  const auto whole = Read(text + "\n\n", text.size() + 2);
  const auto cut = Read(text + "\n\n", 1 + piece % 7);
  // A "\r" at a piece's end may yet be half of a line end, so events may come later, but the same.
  RC_ASSERT(whole == cut);
}

}  // namespace
}  // namespace switchyard::net
