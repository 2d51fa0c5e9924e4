#include "base/toml_fields.h"

#include <gtest/gtest.h>

#include "base/toml_text.h"

namespace switchyard::base {
namespace {

using std::chrono::year;

struct Read {
  std::string text = "as before";
  std::vector<std::string> texts;
  bool flag = false;
  std::chrono::year_month_day day = {};
  std::int64_t whole = 1;
  double number = 1;
  std::chrono::milliseconds time = std::chrono::milliseconds(1);
  std::size_t word = 0;
  int tables = 0;
};

Status ReadAll(TomlFields& fields, Read& read) {
  fields.Text("text", read.text);
  fields.Texts("texts", read.texts);
  fields.Flag("flag", read.flag);
  fields.Day("day", read.day);
  fields.Whole("whole", read.whole, 0, 10);
  fields.Number("number", read.number, -1, 1);
  fields.Seconds("time", read.time, 0, 60);
  fields.Word("word", {"one", "two"}, read.word);
  fields.Tables("inner", [&read](TomlFields& inner) {
    ++read.tables;
    inner.Flag("flag", read.flag);
    return inner.Done();
  });
  return fields.Done();
}

std::string Complaint(std::string_view toml, Read read = {}) {
  const auto table = ParseToml(toml, "f.toml");
  if (!table) return table.error().message;
  TomlFields fields(*table, "f.toml", "the file");
  const Status status = ReadAll(fields, read);
  return status ? "" : status.error().message;
}

TEST(TomlFields, ReadsEachKind) {
  const auto table = ParseToml(R"(texts = "a"
flag = true
day = 2025-01-15
whole = 10
number = -1
time = 0.25
word = "two"
[[inner]]
[[inner]]
flag = false
)",
                               "f.toml");
  ASSERT_TRUE(table) << table.error().message;
  Read read;
  TomlFields fields(*table, "f.toml", "the file");
  const Status status = ReadAll(fields, read);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(read.text, "as before");
  EXPECT_EQ(read.texts, std::vector<std::string>{"a"});
  EXPECT_FALSE(read.flag);
  EXPECT_EQ(read.day, year(2025) / 1 / 15);
  EXPECT_EQ(read.whole, 10);
  EXPECT_EQ(read.number, -1);
  EXPECT_EQ(read.time, std::chrono::milliseconds(250));
  EXPECT_EQ(read.word, 1U);
  EXPECT_EQ(read.tables, 2);
}

TEST(TomlFields, NamesTheFileTheLineAndTheKeyThatIsWrongFirst) {
  EXPECT_EQ(Complaint("\ntext = 1"), "f.toml:2: the file: 'text' must be a text in quotes");
  EXPECT_EQ(Complaint("texts = ['a', 1]"),
            "f.toml:1: the file: 'texts' must hold texts in quotes only");
  EXPECT_EQ(Complaint("flag = 1"), "f.toml:1: the file: 'flag' must be true or false");
  EXPECT_EQ(Complaint("day = '2025-01-15'"),
            "f.toml:1: the file: 'day' must be a day such as 2025-01-15, without quotes");
  for (const auto* wrong : {"whole = 11", "whole = -1", "whole = 1.0", "whole = true"}) {
    EXPECT_EQ(Complaint(wrong), "f.toml:1: the file: 'whole' must be a whole number from 0 to 10");
  }
  for (const auto* wrong : {"number = nan", "number = inf", "number = 2", "number = '1'"}) {
    EXPECT_EQ(Complaint(wrong), "f.toml:1: the file: 'number' must be a number from -1 to 1");
  }
  EXPECT_EQ(Complaint("time = 61"), "f.toml:1: the file: 'time' must be a number from 0 to 60");
  EXPECT_EQ(Complaint("word = 'three'"),
            "f.toml:1: the file: 'word' must be one of one, two, not 'three'");
  EXPECT_EQ(Complaint("inner = 1"), "f.toml:1: the file: 'inner' must be tables, [[inner]]");
  EXPECT_EQ(Complaint("[[inner]]\nflag = 1"), "f.toml:2: [[inner]]: 'flag' must be true or false");
  EXPECT_EQ(Complaint("flag = 1\nwhole = 'a'\nother = 1"),
            "f.toml:1: the file: 'flag' must be true or false");
}

TEST(TomlFields, ListsTheKeysWhereOneIsUnknown) {
  EXPECT_EQ(Complaint("[[inner]]\nflat = 1"),
            "f.toml:2: [[inner]]: there is no 'flat' here; there is flag");
}

}  // namespace
}  // namespace switchyard::base
