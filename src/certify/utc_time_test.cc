#include "certify/utc_time.h"

#include <gtest/gtest.h>

namespace switchyard::certify {
namespace {

// The numbers are those of `date -u -d TEXT +%s`.
TEST(UtcTime, AgreesWithTheSystemsCalendar) {
  for (const auto& [text, seconds] :
       {std::pair("1970-01-01T00:00:00Z", 0LL), std::pair("2024-02-29T23:59:59Z", 1709251199LL),
        std::pair("2026-11-22T09:30:00Z", 1795339800LL),
        std::pair("9999-12-31T23:59:59Z", 253402300799LL)}) {
    const auto time = ParseUtcTime(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->time_since_epoch().count(), seconds) << text;
    EXPECT_EQ(FormatUtcTime(*time), text);
  }
}

TEST(UtcTime, RefusesEveryOtherSpelling) {
  for (const char* text :
       {"", "2026-11-22", "2026-11-22T09:30:00", "2026-11-22T09:30:00z", "2026-11-22t09:30:00Z",
        "2026-11-22 09:30:00Z", "2026-11-22T09:30:00+00:00", "2026-11-22T09:30:00.0Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T09:60:00Z",
        "2026-11-22T09:30:60Z", "1969-12-31T23:59:59Z", " 2026-11-22T09:30:0Z",
        "2026-11-22T09:30:+1Z", "2026-11-22T09:30:00Z "}) {
    const auto time = ParseUtcTime(text);
    ASSERT_FALSE(time) << text;
    EXPECT_NE(time.error().message.find("is not a time"), std::string::npos);
  }
}

}  // namespace
}  // namespace switchyard::certify
