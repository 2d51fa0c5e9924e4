#include "net/url.h"

#include <gtest/gtest.h>

namespace switchyard::net {
namespace {

// From RFC 3986 section 5.4.1, whose base is "http://a/b/c/d;p?q".
TEST(Url, ResolvesLinksAsTheStandardSays) {
  const std::string base = "http://a/b/c/d;p?q";
  EXPECT_EQ(*ResolveUrl(base, "g"), "http://a/b/c/g");
  EXPECT_EQ(*ResolveUrl(base, "/g"), "http://a/g");
  EXPECT_EQ(*ResolveUrl(base, "../g"), "http://a/b/g");
  EXPECT_EQ(*ResolveUrl(base, "https://other/x"), "https://other/x");
  EXPECT_FALSE(ResolveUrl("no address", "g"));
}

TEST(Url, EscapesAllButUnreservedCharacters) {
  EXPECT_EQ(EscapeUrl("a b/c?d#e%é~", true), "a%20b/c%3Fd%23e%25%C3%A9~");
  EXPECT_EQ(EscapeUrl("refs/pr/1", false), "refs%2Fpr%2F1");
}

TEST(Url, ShowsNoSecrets) {
  EXPECT_EQ(UrlForDisplay("https://user:secret@host/path/file?token=x#y"),
            "https://host/path/file");
  EXPECT_EQ(UrlForDisplay("https://host/a@b"), "https://host/a@b");
  EXPECT_EQ(UrlForDisplay("https://u:p@host"), "https://host");
}

TEST(Url, TakesTheFileNameOnlyWhereItIsOne) {
  EXPECT_EQ(FileNameOfUrl("https://host/a/model%20x.gguf?download=true"), "model x.gguf");
  EXPECT_EQ(FileNameOfUrl("https://host/a/"), "");
  EXPECT_EQ(FileNameOfUrl("https://host/a/..%2f.."), "");
  EXPECT_EQ(FileNameOfUrl("https://host"), "");
  EXPECT_EQ(FileNameOfUrl("not an address"), "");
}

}  // namespace
}  // namespace switchyard::net
