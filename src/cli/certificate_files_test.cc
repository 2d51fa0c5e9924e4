#include "cli/certificate_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <iterator>

#include "base/temporary_folder.h"
#include "certify/signed_certificate.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using testing::HasSubstr;

class CertificateFilesTest : public testing::Test {
 protected:
  fs::path Below(std::string_view name) const { return folder_.path() / name; }
  void Put(const fs::path& path, std::string_view text) const {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  base::TemporaryFolder folder_;
  Environment environment_{{{"XDG_CONFIG_HOME", folder_.path().string()}}};
};

TEST_F(CertificateFilesTest, MakesTheSigningKeyOnce) {
  const auto first = OpenSigningKey(environment_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->is_new);
  EXPECT_EQ(first->file, Below("switchyard/certify.key"));
  struct stat status{};
  ASSERT_EQ(::stat(first->file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto again = OpenSigningKey(environment_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->key.public_key(), first->key.public_key());
  EXPECT_EQ(*certify::PublicKey::Load(first->public_file), first->key.public_key());
}

TEST_F(CertificateFilesTest, GivesAllWhoAreFirstTheSameKey) {
  std::vector<std::future<std::string>> keys;
  for (int i = 0; i < 8; ++i) {
    keys.push_back(std::async(std::launch::async, [this] {
      const auto key = OpenSigningKey(environment_);
      return key ? key->key.public_key().Fingerprint() : key.error().message;
    }));
  }
  const std::string first = keys[0].get();
  EXPECT_THAT(first, HasSubstr("SHA256:"));
  for (std::size_t i = 1; i < keys.size(); ++i) EXPECT_EQ(keys[i].get(), first);
}

TEST_F(CertificateFilesTest, TrustsTheOwnKeyTheFoldersAndThoseGiven) {
  EXPECT_TRUE(ReadTrustedKeys(environment_, {})->empty());
  const auto own = OpenSigningKey(environment_);
  ASSERT_TRUE(own);
  const auto friend_key = certify::PrivateKey::Create()->public_key();
  const auto given_key = certify::PrivateKey::Create()->public_key();
  Put(Below("switchyard/trusted/friend.pem"), friend_key.Pem());
  Put(Below("switchyard/trusted/README"), "no key");
  Put(Below("given.pem"), given_key.Pem());
  const std::vector<fs::path> given = {Below("given.pem")};
  const auto keys = ReadTrustedKeys(environment_, given);
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 3U);
  EXPECT_EQ((*keys)[0].key, own->key.public_key());
  EXPECT_EQ((*keys)[1].key, friend_key);
  EXPECT_EQ((*keys)[2].key, given_key);

  Put(Below("switchyard/trusted/broken.pem"), "no key");
  const auto broken = ReadTrustedKeys(environment_, {});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("broken.pem"));
}

TEST_F(CertificateFilesTest, WritesTheCertificateAndItsPage) {
  const auto key = certify::PrivateKey::Create();
  const auto files =
      WriteCertificate(certify::SampleCertificate(), *key, Below("certificate.json"));
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->page, Below("certificate.html"));
  const auto text = ReadCertificateText(files->json);
  ASSERT_TRUE(text);
  const auto read = certify::ReadSigned(*text, "test");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->is_signed_by_key);
  std::ifstream page(files->page);
  const std::string html(std::istreambuf_iterator<char>(page), {});
  EXPECT_TRUE(html.contains(key->public_key().Fingerprint()));
  EXPECT_TRUE(html.contains("certify verify certificate.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);

  EXPECT_EQ(WriteCertificate(certify::SampleCertificate(), *key, Below("x.html")).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      WriteCertificate(certify::SampleCertificate(), *key, Below("absent/x.json")).error().code,
      ErrorCode::kUnavailable);
  EXPECT_EQ(ReadCertificateText(Below("absent.json")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadCertificateText("/dev/zero").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace switchyard::cli
