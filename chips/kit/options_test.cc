#include "kit/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kit/call_guard.h"

namespace switchyard::chips {
namespace {

sy_option Option(const char* name, const char* value) { return {sizeof(sy_option), name, value}; }

template <typename Body>
std::string SentenceOf(Body body) {
  EXPECT_EQ(Guard(body), SY_INVALID_ARGUMENT);
  return LastError();
}

TEST(Options, GivesWhatIsAskedForAndRefusesTheRest) {
  Options options({Option("queues", "2"), Option("colour", "red")});
  EXPECT_EQ(options.TakeNumber("queues", 1, 8), 2);
  EXPECT_EQ(options.Take("speed"), std::nullopt);
  EXPECT_EQ(SentenceOf([&] { options.RefuseOthers("toy"); }),
            "the toy chip has no option 'colour'; it has queues, speed");
  EXPECT_EQ(options.Take("colour"), "red");
  options.RefuseOthers("toy");
}

TEST(Options, TheLastOfOneNameCounts) {
  Options options({Option("queues", "2"), Option("queues", "3")});
  EXPECT_EQ(options.Take("queues"), "3");
  options.RefuseOthers("toy");
}

TEST(Options, RefusesWhatIsNoNumberOfTheRange) {
  for (const char* value : {"", "x", "3x", "0", "9", "99999999999999999999"}) {
    Options options({Option("queues", value)});
    EXPECT_THAT(SentenceOf([&] { options.TakeNumber("queues", 1, 8); }),
                testing::HasSubstr("from 1 to 8"))
        << value;
  }
}

}  // namespace
}  // namespace switchyard::chips
