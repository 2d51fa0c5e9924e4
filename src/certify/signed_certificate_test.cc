#include "certify/signed_certificate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/base64.h"
#include "base/temporary_folder.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::certify {
namespace {

using testing::HasSubstr;

PrivateKey Key() { return *PrivateKey::FromSeed(std::string(32, '\x42')); }

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string ErrorOf(const std::string& text) {
  const auto read = ReadSigned(text, "x.json");
  return read ? "accepted" : read.error().message;
}

TEST(SignedCertificate, ComesBackAsItWasSigned) {
  const std::string text = WriteSigned(SampleCertificate(), Key());
  const auto read = ReadSigned(text, "x.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->is_signed_by_key);
  EXPECT_EQ(read->key, Key().public_key());
  EXPECT_EQ(WriteSigned(read->certificate, Key()), text);
}

TEST(SignedCertificate, SeesEveryChange) {
  const std::string text = WriteSigned(SampleRefusal(), Key());
  for (const auto& [from, to] :
       {std::pair("\"is_equivalent\": false", "\"is_equivalent\": true"),
        std::pair("2027-02-20", "2029-02-20"), std::pair("\"gap\": 0.8", "\"gap\": 0.80"),
        std::pair("threads=2", "threads=3"), std::pair("threads=2", "thr eads=2")}) {
    const auto read = ReadSigned(Replaced(text, from, to), "x.json");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_FALSE(read->is_signed_by_key) << to;
  }
  // Somebody else's key in place of the signer's.
  const PrivateKey other = *PrivateKey::Create();
  const auto read = ReadSigned(
      Replaced(text, base::ToBase64(Key().public_key().Der()), base::ToBase64(other.public_key().Der())),
      "x.json");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->is_signed_by_key);
}

TEST(SignedCertificate, DoesNotMindWhiteSpace) {
  const std::string text = WriteSigned(SampleCertificate(), Key());
  std::string spread;
  for (const char c : text) spread += c == '\n' ? std::string("\r\n\t ") : std::string(1, c);
  const auto read = ReadSigned(spread, "x.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->is_signed_by_key);
}

// Two readers that disagree on which "certificate" counts would let one verify what the other
// shows.
TEST(SignedCertificate, BelievesOnlyWhatIsSigned) {
  const std::string text = WriteSigned(SampleCertificate(), Key());
  const std::string body = text.substr(text.find('{') + 1);
  EXPECT_THAT(ErrorOf("{\"certificate\": {}," + body), HasSubstr("x.json"));
  EXPECT_THAT(ErrorOf("{\"other\": 1," + body), HasSubstr("not a signed certificate"));
  const std::string twice = Replaced(text, "\"signature\":", "\"certificate\": {}, \"signature\":");
  EXPECT_THAT(ErrorOf(twice), HasSubstr("not valid JSON"));
}

TEST(SignedCertificate, RefusesDamagedFilesWithASentence) {
  const std::string text = WriteSigned(SampleCertificate(), Key());
  EXPECT_THAT(ErrorOf(""), HasSubstr("not a signed certificate"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a signed certificate"));
  EXPECT_THAT(ErrorOf("{\"certificate\": {}, \"signature\": {}}"),
              HasSubstr("signature.algorithm is missing"));
  EXPECT_THAT(ErrorOf(Replaced(text, "ed25519", "none")), HasSubstr("'none'"));
  EXPECT_THAT(ErrorOf(Replaced(text, "\"public_key\"", "\"public\"")),
              HasSubstr("signature.public_key is missing"));
  EXPECT_THAT(ErrorOf(Replaced(text, base::ToBase64(Key().public_key().Der()), "AAAA")),
              HasSubstr("signature.public_key: this is not an Ed25519 public key"));
  EXPECT_THAT(ErrorOf(Replaced(text, "switchyard certificate 1", "x")),
              HasSubstr("not a certificate"));
  EXPECT_THAT(ErrorOf(std::string(kMaxCertificateBytes + 1, ' ')), HasSubstr("at most"));
  for (std::size_t length = 0; length + 2 < text.size(); length += 97) {
    EXPECT_FALSE(ReadSigned(text.substr(0, length), "x.json")) << length;
  }
}

// Another program, in another language, with another library around the same mathematics.
TEST(SignedCertificate, IsVerifiedByPythonAndTheOpensslTool) {
  if (std::system("command -v openssl >/dev/null && command -v python3 >/dev/null") != 0) {
    GTEST_SKIP() << "needs python3 and the openssl tool";
  }
  const base::TemporaryFolder folder;
  const auto verify = [&](const std::string& text) {
    const auto path = folder.path() / "certificate.json";
    std::ofstream(path, std::ios::binary) << text;
    return std::system(
        fmt::format("python3 tests/program/verify_signature.py '{}' >/dev/null", path.string())
            .c_str());
  };
  const std::string text = WriteSigned(SampleCertificate(), Key());
  EXPECT_EQ(verify(text), 0);
  EXPECT_NE(verify(Replaced(text, "2027-02-20", "2029-02-20")), 0);
}

}  // namespace
}  // namespace switchyard::certify
