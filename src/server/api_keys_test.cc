#include "server/api_keys.h"

#include <gtest/gtest.h>

namespace switchyard::server {
namespace {

TEST(ApiKeys, AcceptsTheKeysOfItsFileAlone) {
  const auto keys = ApiKeys::Parse("# ours\nsk-one\n\n  sk-two \r\n");
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->Accepts("Bearer sk-one"));
  EXPECT_TRUE(keys->Accepts("bearer sk-two"));
  for (const char* wrong : {"", "Bearer ", "Bearer sk-on", "Bearer sk-onee", "sk-one",
                            "Basic sk-one", "Bearer # ours", "Bearer sk-one sk-two"}) {
    EXPECT_FALSE(keys->Accepts(wrong)) << wrong;
  }
}

TEST(ApiKeys, RefusesAFileWithoutKeysOrWithBlanksInThem) {
  EXPECT_FALSE(ApiKeys::Parse(""));
  EXPECT_FALSE(ApiKeys::Parse("# nothing\n\n"));
  EXPECT_FALSE(ApiKeys::Parse("a b\n"));
}

}  // namespace
}  // namespace switchyard::server
