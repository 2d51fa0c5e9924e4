#include "base/log.h"

#include <gtest/gtest.h>

namespace switchyard::base {
namespace {

// 2026-01-02T03:04:05.006Z, by `date -u -d @1767323045`.
const auto kTime = std::chrono::system_clock::time_point(std::chrono::milliseconds(1767323045006));

TEST(Log, IsOneLineInEitherFormat) {
  const LogRecord record{LogLevel::kWarn,
                         "chip lost",
                         {{"chip", std::string("a b\n\"c\"")},
                          {"requests", std::int64_t{3}},
                          {"share", 0.5},
                          {"up", false}}};
  EXPECT_EQ(ToText(record, LogFormat::kLogfmt, kTime),
            "time=2026-01-02T03:04:05.006Z level=warn msg=\"chip lost\" "
            "chip=\"a b\\n\\\"c\\\"\" requests=3 share=0.5000 up=0");
  EXPECT_EQ(ToText(record, LogFormat::kJson, kTime),
            "{\"time\":\"2026-01-02T03:04:05.006Z\",\"level\":\"warn\",\"msg\":\"chip lost\","
            "\"chip\":\"a b\\n\\\"c\\\"\",\"requests\":3,\"share\":0.5,\"up\":false}");
}

TEST(Log, KnowsItsNames) {
  for (const auto level :
       {LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
    EXPECT_EQ(LogLevelFromName(Name(level)), level);
  }
  EXPECT_FALSE(LogLevelFromName("loud"));
  EXPECT_EQ(LogFormatFromName("json"), LogFormat::kJson);
  EXPECT_FALSE(LogFormatFromName("xml"));
}

}  // namespace
}  // namespace switchyard::base
