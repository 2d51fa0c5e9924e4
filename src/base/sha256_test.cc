#include "base/sha256.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"

namespace switchyard::base {
namespace {

std::string DigestOf(std::string_view text) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(text)));
  return hash.HexDigest();
}

// The examples that NIST publishes with FIPS 180-4.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(DigestOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(DigestOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(DigestOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, StartsAnewAfterADigest) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(std::string_view("something else"))));
  (void)hash.HexDigest();
  hash.Update(std::as_bytes(std::span(std::string_view("abc"))));
  EXPECT_EQ(hash.HexDigest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, ReadsFilesLongerThanABlock) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "million") << std::string(1'000'000, 'a');
  auto digest = Sha256OfFile(folder.path() / "million");
  ASSERT_TRUE(digest);
  EXPECT_EQ(*digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(Sha256OfFile(folder.path() / "absent").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace switchyard::base
