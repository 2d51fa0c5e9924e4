#include "cli/verify_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "certify/utc_time.h"
#include "cli/certificate_files.h"
#include "cli/fingerprints.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

// The sample's chips are on no machine: what holds on one is checked by tests/program.
class VerifyCertificateTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto key = OpenSigningKey(environment_);
    ASSERT_TRUE(key);
    ASSERT_TRUE(WriteCertificate(certify::SampleCertificate(), key->key, options_.certificate));
  }

  std::string Verify() {
    const auto status = VerifyCertificate(options_, environment_);
    return status ? "holds" : status.error().message;
  }

  // The same file in the eyes of another user.
  Environment Stranger() const {
    return Environment({{"XDG_CONFIG_HOME", (folder_.path() / "other").string()}});
  }

  base::TemporaryFolder folder_;
  Environment environment_{{{"XDG_CONFIG_HOME", folder_.path().string()},
                            {"XDG_CACHE_HOME", (folder_.path() / "cache").string()}}};
  VerifyOptions options_{.certificate = folder_.path() / "certificate.json",
                         .model = {},
                         .trusted = {},
                         .elsewhere = true,
                         .now = *certify::ParseUtcTime("2026-12-01T00:00:00Z")};
};

TEST_F(VerifyCertificateTest, HoldsElsewhereBySignatureAndDates) {
  EXPECT_EQ(Verify(), "holds");
  options_.now = *certify::ParseUtcTime("2028-01-01T00:00:00Z");
  EXPECT_THAT(Verify(), HasSubstr("it expired at 2027-02-20T09:30:00Z"));
}

TEST_F(VerifyCertificateTest, FailsWhereTheChipsAreNot) {
  options_.elsewhere = false;
  EXPECT_THAT(Verify(), HasSubstr("has changed"));
}

TEST_F(VerifyCertificateTest, TrustsOnlyKeysThatItWasGiven) {
  auto stranger = VerifyCertificate(options_, Stranger());
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().message, HasSubstr("is not among the 0 trusted here"));
  options_.trusted = {folder_.path() / "switchyard/certify.pub.pem"};
  EXPECT_TRUE(VerifyCertificate(options_, Stranger()));
}

// A file from a stranger must not make this machine open what it names.
TEST_F(VerifyCertificateTest, OpensNothingThatNoTrustedKeyVouchesFor) {
  certify::Certificate certificate = certify::SampleCertificate();
  certificate.fingerprint.model.name = "/dev/zero";
  ASSERT_TRUE(WriteCertificate(certificate, *certify::PrivateKey::Create(), options_.certificate));
  options_.elsewhere = false;
  testing::internal::CaptureStdout();
  const std::string problem = Verify();
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("no trusted key vouches"));
  EXPECT_THAT(problem, HasSubstr("not among the 1 trusted here"));
  EXPECT_THAT(problem, testing::Not(HasSubstr("more")));
}

TEST_F(VerifyCertificateTest, SaysWhatIsWrongWithAFile) {
  std::ofstream(options_.certificate) << "{}";
  EXPECT_THAT(Verify(), HasSubstr("not a signed certificate"));
  fs::remove(options_.certificate);
  EXPECT_THAT(Verify(), HasSubstr("there is no certificate"));
}

}  // namespace
}  // namespace switchyard::cli
