#include "certify/certificate_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

#include "tests/support/sample_certificate.h"

namespace switchyard::certify {
namespace {

using base::Json;
using testing::HasSubstr;

Json Sample() { return ToJson(SampleCertificate()); }

std::string ErrorOfJson(const Json& json) {
  const auto read = FromJson(json);
  return read ? "accepted" : read.error().message;
}

// Calls `visit` with the path of every value below `json`.
template <typename Visit>
void EachValue(const Json& json, const Json::json_pointer& path, const Visit& visit) {
  visit(path, json);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) EachValue(value, path / key, visit);
  } else if (json.is_array() && !json.empty()) {
    EachValue(json.front(), path / 0, visit);
  }
}

TEST(CertificateJson, ComesBackAsItWas) {
  Certificate empty;
  empty.issued = empty.expires = "2026-01-01T00:00:00Z";
  for (const Certificate& certificate : {SampleCertificate(), SampleRefusal(), empty}) {
    const Json json = ToJson(certificate);
    const auto read = FromJson(json);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(ToJson(*read), json);
    EXPECT_EQ(read->fingerprint.b.options, certificate.fingerprint.b.options);
    EXPECT_EQ(read->soak.first_excess, certificate.soak.first_excess);
    EXPECT_EQ(read->efficiency.gflop_s, certificate.efficiency.gflop_s);
  }
}

TEST(CertificateJson, KeepsEveryNumberAndText) {
  rc::check([](const std::string& text, double number, std::int64_t seed, bool is_kept) {
    RC_PRE(std::isfinite(number));
    Certificate certificate = SampleCertificate();
    certificate.verdict.checks.push_back({text, text, text, is_kept});
    certificate.drift = {{seed & 0xFFFF, std::fabs(number)}};
    certificate.divergences[0].mean_kl = number;
    certificate.fingerprint.machine.memory_bytes = static_cast<std::uint64_t>(seed) >> 11;
    const Json json = ToJson(certificate);
    const auto text_json = base::ParseJson(json.dump(), "test");
    RC_ASSERT(text_json.has_value());
    const auto read = FromJson(*text_json);
    RC_ASSERT(read.has_value());
    RC_ASSERT(read->divergences[0].mean_kl == number);
    RC_ASSERT(read->drift[0].nmse == std::fabs(number));
    RC_ASSERT(read->fingerprint.machine.memory_bytes ==
              certificate.fingerprint.machine.memory_bytes);
    RC_ASSERT(ToJson(*read) == json);
  });
}

TEST(CertificateJson, WritesWhatIsNotFiniteAsNullAndReadsNoNumber) {
  Certificate certificate = SampleCertificate();
  certificate.divergences[0].mean_kl = std::numeric_limits<double>::infinity();
  certificate.drift[0].nmse = std::numeric_limits<double>::quiet_NaN();
  const Json json = ToJson(certificate);
  EXPECT_TRUE(json["divergences"][0]["mean_kl"].is_null());
  const auto read = FromJson(json);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(std::isnan(read->divergences[0].mean_kl));
  EXPECT_TRUE(std::isnan(read->drift[0].nmse));
}

TEST(CertificateJson, NamesEveryFieldThatIsMissing) {
  EachValue(Sample(), Json::json_pointer(), [](const Json::json_pointer& path, const Json& value) {
    if (path.empty() || value.is_null()) return;
    const std::string key = path.back();
    Json json = Sample();
    Json& parent = json[path.parent_pointer()];
    if (!parent.is_object() || path.parent_pointer().to_string().ends_with("gflop_s")) return;
    parent.erase(key);
    EXPECT_THAT(ErrorOfJson(json), HasSubstr(key)) << path.to_string();
  });
}

TEST(CertificateJson, NamesEveryFieldOfAnotherType) {
  EachValue(Sample(), Json::json_pointer(), [](const Json::json_pointer& path, const Json& value) {
    if (path.empty()) return;
    for (const Json& other : {Json(true), Json("text"), Json(-1.5), Json::array({Json::array()}),
                              Json({{"other", 1}})}) {
      if (other.type() == value.type() || (other.is_number() && value.is_number_float())) continue;
      Json json = Sample();
      json[path] = other;
      const std::string error = ErrorOfJson(json);
      EXPECT_NE(error, "accepted") << path.to_string() << " = " << other;
      const std::string key = path.back() == "0" ? path.parent_pointer().back() : path.back();
      EXPECT_THAT(error, HasSubstr(key)) << path.to_string() << " = " << other;
    }
  });
}

TEST(CertificateJson, RefusesWhatIsOutOfRange) {
  const auto with = [](const char* path, const Json& value) {
    Json json = Sample();
    json[Json::json_pointer(path)] = value;
    return ErrorOfJson(json);
  };
  EXPECT_EQ(with("/soak/steps", -1), "soak.steps is not a whole number from 0 to 9007199254740992");
  EXPECT_THAT(with("/soak/steps", 1.5), HasSubstr("soak.steps"));
  EXPECT_THAT(with("/soak/steps", std::uint64_t{1} << 63), HasSubstr("soak.steps"));
  EXPECT_THAT(with("/soak/first_excess", "x"), HasSubstr("soak.first_excess"));
  EXPECT_THAT(with("/fingerprint/b/units", std::int64_t{1} << 32),
              HasSubstr("fingerprint.b.units is not a whole number from 0 to 4294967295"));
  EXPECT_THAT(with("/drift/2/layer", -2), HasSubstr("drift[2].layer"));
  EXPECT_EQ(with("/drift/2/layer", -1), "accepted");
  EXPECT_THAT(with("/soak/seconds", -0.5), HasSubstr("soak.seconds is -0.5, below 0"));
  EXPECT_EQ(with("/divergences/0/mean_kl", -1e-18), "accepted");
  EXPECT_THAT(with("/issued", "2026-02-30T00:00:00Z"), HasSubstr("issued: '2026-02-30T00:00:00Z'"));
  EXPECT_THAT(with("/expires", "soon"), HasSubstr("expires: 'soon' is not a time"));
  EXPECT_THAT(with("/operands", std::string(70'000, 'x')), HasSubstr("operands is longer than"));
  EXPECT_THAT(with("/operands", "a\x1b[31mb"), HasSubstr("operands holds control characters"));
  EXPECT_THAT(with("/efficiency/gflop_s/f16", "fast"), HasSubstr("efficiency.gflop_s.f16"));
  EXPECT_THAT(with("/verdict/guilty", Json(std::vector<std::string>(20'001))),
              HasSubstr("verdict.guilty has more than 20000 elements"));
  EXPECT_THAT(with("/verdict/checks/1/surprise", 1),
              HasSubstr("verdict.checks[1] has a field 'surprise'"));
  EXPECT_THAT(with("/surprise", 1), HasSubstr("the certificate has a field 'surprise'"));
  EXPECT_THAT(with("/format", "switchyard certificate 2"), HasSubstr("not a certificate"));
  EXPECT_THAT(ErrorOfJson(Json::array()), HasSubstr("not a certificate"));
  EXPECT_THAT(ErrorOfJson(Json::object()), HasSubstr("not a certificate"));
}

TEST(CertificateJson, RepairsTextsOfChips) {
  Certificate certificate = SampleCertificate();
  certificate.fingerprint.b.device = "broken \xFF and \x1B[31m and caf\xC3\xA9";
  const auto read = FromJson(ToJson(certificate));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->fingerprint.b.device, "broken \xEF\xBF\xBD and \xEF\xBF\xBD[31m and caf\xC3\xA9");
}

}  // namespace
}  // namespace switchyard::certify
