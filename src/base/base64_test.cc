#include "base/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <utility>

namespace switchyard::base {
namespace {

// RFC 4648 section 10.
TEST(Base64, IsThatOfItsStandard) {
  for (const auto& [bytes, text] :
       {std::pair("", ""), std::pair("f", "Zg=="), std::pair("fo", "Zm8="),
        std::pair("foo", "Zm9v"), std::pair("foob", "Zm9vYg=="), std::pair("fooba", "Zm9vYmE="),
        std::pair("foobar", "Zm9vYmFy")}) {
    EXPECT_EQ(ToBase64(bytes), text);
    const auto read = FromBase64(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, bytes);
  }
}

TEST(Base64, TakesOneFormOnly) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Zm9v====", "Zm9-",
                           "====", "=", "==", "Z===", "Zm=v", "Zm9v\xff\xff\xff\xff"}) {
    EXPECT_FALSE(FromBase64(text)) << text;
  }
}

RC_GTEST_PROP(Base64, BringsAnyBytesBack, (const std::string& bytes)) {
  const auto read = FromBase64(ToBase64(bytes));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == bytes);
}

RC_GTEST_PROP(Base64, HasOneTextForEachBytes, (const std::string& text)) {
  const auto read = FromBase64(text);
  if (read) RC_ASSERT(ToBase64(*read) == text);
}

}  // namespace
}  // namespace switchyard::base
