#include "cli/certificates_in_force.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "certify/utc_time.h"
#include "cli/certificate_files.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

// The sample's chip and machine are taken for those that are here.
class CertificatesInForceTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fs::create_directory(certificates_)); }

  fs::path Write(const certify::Certificate& certificate, const std::string& name) const {
    const auto written = WriteCertificate(certificate, key_, certificates_ / name);
    EXPECT_TRUE(written) << written.error().message;
    return certificates_ / name;
  }
  static ServedHere Here() {
    const certify::Fingerprint then = certify::SampleCertificate().fingerprint;
    certify::SideFingerprint other = then.b;
    other.chip = "other";
    return {.present = {.model_sha256 = then.model.sha256,
                        .model_architecture = then.model.architecture,
                        .weight_types = then.model.weight_types,
                        .kv_type = then.model.kv_type,
                        .a = {},
                        .b = {},
                        .machine = then.machine,
                        .program = then.program},
            .chips = {other, then.b}};
  }
  // What is in force of the second chip until when, or why nothing starts.
  std::string Choose(const fs::path& path, const ServedHere& here = Here(),
                     const char* now = "2026-12-01T00:00:00Z") const {
    const std::vector<fs::path> paths = {path};
    const auto found =
        CertificatesInForce(paths, here, {key_.public_key()}, *certify::ParseUtcTime(now));
    if (!found) return found.error().message;
    EXPECT_EQ(found->size(), 2U);
    EXPECT_FALSE(found->at(0));
    return found->at(1) ? found->at(1)->expires : "none";
  }

  base::TemporaryFolder folder_;
  fs::path certificates_ = folder_.path() / "certificates";
  certify::PrivateKey key_ = *certify::PrivateKey::Create();
};

TEST_F(CertificatesInForceTest, HoldsForTheChipThatItIsOf) {
  EXPECT_EQ(Choose(Write(certify::SampleCertificate(), "a.json")), "2027-02-20T09:30:00Z");
  EXPECT_EQ(Choose(certificates_), "2027-02-20T09:30:00Z");
}

TEST_F(CertificatesInForceTest, OfSeveralTheOneThatLastsLongest) {
  certify::Certificate longer = certify::SampleCertificate();
  longer.expires = "2028-01-01T00:00:00Z";
  Write(longer, "a.json");
  Write(certify::SampleCertificate(), "b.json");
  EXPECT_EQ(Choose(certificates_), "2028-01-01T00:00:00Z");
}

TEST_F(CertificatesInForceTest, AFileThatDoesNotHoldIsRefused) {
  const fs::path path = Write(certify::SampleCertificate(), "a.json");
  EXPECT_THAT(Choose(path, Here(), "2028-01-01T00:00:00Z"), HasSubstr("it expired at 2027-02-20"));
  ServedHere here = Here();
  here.chips[1].architecture = "another driver";
  EXPECT_THAT(Choose(path, here), HasSubstr("code path and driver has changed"));
  here = Here();
  here.chips[1].plugin_sha256 = "00";
  EXPECT_THAT(Choose(path, here), HasSubstr("plugin sha256 has changed"));
  here = Here();
  here.present.model_sha256 = "00";
  EXPECT_THAT(Choose(path, here), HasSubstr("model: sha256 has changed"));
  here = Here();
  here.chips.pop_back();
  here.chips.push_back(here.chips[0]);
  EXPECT_THAT(Choose(path, here), HasSubstr("and other:0, other:0 serves"));
  EXPECT_THAT(Choose(Write(certify::SampleRefusal(), "b.json")), HasSubstr("not equivalent"));
  EXPECT_THAT(Choose(certificates_ / "none.json"), HasSubstr("there is no certificate"));
  std::ofstream(certificates_ / "c.json") << "{}";
  EXPECT_THAT(Choose(certificates_ / "c.json"), HasSubstr("c.json"));
}

TEST_F(CertificatesInForceTest, AStrangersSignatureIsRefused) {
  const fs::path path = certificates_ / "a.json";
  ASSERT_TRUE(WriteCertificate(certify::SampleCertificate(), *certify::PrivateKey::Create(), path));
  EXPECT_THAT(Choose(path), HasSubstr("not among the 1 trusted here"));
}

TEST_F(CertificatesInForceTest, OfAFolderOtherModelsAndChipsArePassedOver) {
  certify::Certificate one = certify::SampleCertificate();
  one.fingerprint.b.chip = "absent";
  Write(one, "a.json");
  one = certify::SampleCertificate();
  one.fingerprint.model.sha256 = std::string(64, '0');
  Write(one, "b.json");
  EXPECT_EQ(Choose(certificates_), "none");
  EXPECT_THAT(Choose(certificates_ / "a.json"), HasSubstr("is of chip absent:0"));
}

}  // namespace
}  // namespace switchyard::cli
