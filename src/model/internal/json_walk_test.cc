#include "model/internal/json_walk.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace switchyard::model::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Recorder : public JsonEvents {
 public:
  base::Status OnObject(JsonPath path) override { return Note(path, "{"); }
  base::Status OnArray(JsonPath path) override { return Note(path, "["); }
  base::Status OnString(JsonPath path, std::string_view value) override {
    if (value == "stop") return base::Fail(base::ErrorCode::kAborted, "stopped");
    return Note(path, value);
  }
  base::Status OnUnsigned(JsonPath path, std::uint64_t value) override {
    return Note(path, std::to_string(value));
  }
  base::Status OnOther(JsonPath path) override { return Note(path, "other"); }

  std::vector<std::string> notes;

 private:
  base::Status Note(JsonPath path, std::string_view value) {
    notes.push_back(fmt::format("/{} {}", fmt::join(path, "/"), value));
    return {};
  }
};

TEST(JsonWalk, TellsEveryValueWithItsPath) {
  Recorder recorder;
  ASSERT_TRUE(WalkJson(R"({"a": {"b": "x", "c": [1, -2]}, "a": null, "d": 18446744073709551616})",
                       recorder));
  EXPECT_THAT(recorder.notes, ElementsAre("/ {", "/a {", "/a/b x", "/a/c [", "/a/c/ 1",
                                          "/a/c/ other", "/a other", "/d other"));
}

TEST(JsonWalk, StopsAtTheFirstFailure) {
  Recorder recorder;
  const base::Status status = WalkJson(R"(["stop", 1])", recorder);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "stopped");
  EXPECT_THAT(recorder.notes, ElementsAre("/ ["));
}

TEST(JsonWalk, RefusesWhatIsNotJson) {
  for (const std::string_view text : {"", "{", "{\"a\":}", "[1] 2", "\"\xff\"", "{'a': 1}"}) {
    Recorder recorder;
    const base::Status status = WalkJson(text, recorder);
    ASSERT_FALSE(status) << text;
    EXPECT_THAT(status.error().message, HasSubstr("not valid JSON at byte"));
  }
}

TEST(JsonWalk, RefusesDeepNesting) {
  Recorder recorder;
  EXPECT_TRUE(WalkJson(std::string(8, '[') + std::string(8, ']'), recorder));
  const base::Status status = WalkJson(std::string(1'000'000, '['), recorder);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("deeper than 8"));
}

}  // namespace
}  // namespace switchyard::model::internal
