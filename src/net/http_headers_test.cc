#include "net/http_headers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace switchyard::net {
namespace {

// Byte by byte, as RFC 9110 (section 5.5) has field values, but for tabs.
bool IsText(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return false;
  }
  return true;
}

TEST(HttpHeaders, EachByteAtEachPlace) {
  for (std::size_t size = 0; size < 20; ++size) {
    EXPECT_TRUE(IsHeaderText(std::string(size, 'x')));
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, byte % 2 == 0 ? '\xFF' : ' ');
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(IsHeaderText(text), IsText(text)) << size << " " << at << " " << byte;
      }
    }
  }
}

RC_GTEST_PROP(HttpHeadersProperty, AnyText, (const std::string& text)) {
  RC_ASSERT(IsHeaderText(text) == IsText(text));
}

}  // namespace
}  // namespace switchyard::net
