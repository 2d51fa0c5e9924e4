#include "certify/page.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/temporary_folder.h"
#include "certify/internal/plots.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::certify {
namespace {

const PageSignature kSignature = {"certificate.json", "SHA256:abc", "c2lnbmF0dXJl"};

// Python's parser is the judge of whether the markup is well-formed; true too where there is none.
bool IsWellFormed(const std::string& page) {
  if (std::system("command -v python3 >/dev/null") != 0) return true;
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "page.html";
  std::ofstream(path, std::ios::binary) << page;
  return std::system(fmt::format("python3 -c 'import sys, xml.etree.ElementTree as t; "
                                 "t.parse(sys.argv[1])' '{}'",
                                 path.string())
                         .c_str()) == 0;
}

// Every text of a certificate, set to `hostile`.
Certificate Hostile(const std::string& hostile) {
  Certificate certificate = SampleRefusal();
  Fingerprint& fingerprint = certificate.fingerprint;
  fingerprint.model = {hostile, hostile, hostile, hostile, hostile};
  for (SideFingerprint* side : {&fingerprint.a, &fingerprint.b}) {
    *side = {hostile, 0, hostile, hostile, hostile, hostile, hostile, 1, {hostile}};
  }
  fingerprint.machine = {hostile, 1, 1, hostile, hostile};
  fingerprint.program = hostile;
  certificate.issued = certificate.expires = certificate.operands = hostile;
  certificate.load_report = hostile;
  for (Divergence& of : certificate.divergences) of.scenario = hostile;
  for (GreedyText& of : certificate.greedy) of.prompt = hostile;
  for (OperationAgreement& of : certificate.operations) {
    of.operation = of.weight_type = of.reason = hostile;
  }
  for (OperationExcess& of : certificate.excesses) {
    of.step = of.operation = of.weight = of.shape = of.complaint = hostile;
  }
  certificate.efficiency.gflop_s = {{hostile, 1}};
  for (PhaseSpeed& of : certificate.efficiency.phases) of.phase = of.ceiling = hostile;
  for (OperationCost& of : certificate.efficiency.costs) {
    of.phase = of.operation = of.shape = of.ceiling = hostile;
  }
  certificate.verdict.guilty = {hostile};
  certificate.verdict.sentence = hostile;
  for (Check& of : certificate.verdict.checks) of.what = of.found = of.bound = hostile;
  return certificate;
}

TEST(Page, IsWellFormedAndComplete) {
  for (const Certificate& certificate : {SampleCertificate(), SampleRefusal(), Certificate()}) {
    EXPECT_TRUE(IsWellFormed(Page(certificate, kSignature)));
  }
  const std::string page = Page(SampleCertificate(), kSignature);
  for (const char* text :
       {"✓ Equivalent", "smollm2-135m-instruct", "mean KL", "decode, long context, batch of one",
        "threads=2", "SHA256:abc", "c2lnbmF0dXJl", "20,000", "The way from 20 % to 80 %",
        "count to forty", "certify verify certificate.json", "example lacks rms_norm"}) {
    EXPECT_TRUE(page.contains(text)) << text;
  }
  const std::string refused = Page(SampleRefusal(), kSignature);
  for (const char* text : {"✕ Not equivalent", "linear blk.17.ffn_down.weight", "8,713",
                           "41 times the tolerance", "✕ not kept"}) {
    EXPECT_TRUE(refused.contains(text)) << text;
  }
  EXPECT_FALSE(refused.contains("✓ Equivalent"));
}

// For a look with a browser: SWITCHYARD_PAGES=FOLDER certify_test --gtest_filter=Page.*
TEST(Page, IsLeftWhereAsked) {
  const char* folder = std::getenv("SWITCHYARD_PAGES");
  if (folder == nullptr) GTEST_SKIP() << "SWITCHYARD_PAGES names no folder";
  std::ofstream(fmt::format("{}/kept.html", folder)) << Page(SampleCertificate(), kSignature);
  std::ofstream(fmt::format("{}/refused.html", folder)) << Page(SampleRefusal(), kSignature);
}

TEST(Page, NeedsNothingFromElsewhere) {
  const std::string page = Page(SampleRefusal(), kSignature);
  for (const char* text : {"<script", "http://", "https://", "<link", "@import", "url(", "src="}) {
    EXPECT_FALSE(page.contains(text)) << text;
  }
}

TEST(Page, EscapesWhateverComesFromOutside) {
  const std::string script = "\"'><script>alert(1)</script><img onerror='x'/>&";
  const std::string page = Page(Hostile(script), {script, script, script});
  EXPECT_FALSE(page.contains("<script"));
  EXPECT_FALSE(page.contains("<img"));
  EXPECT_FALSE(page.contains("='x'"));
  EXPECT_TRUE(IsWellFormed(page));
  const std::string bytes =
      std::string("\x00\x01\x1b\xff\xc0\x80\xed\xa0\x80 \xe2\x80\xae", 13) + "]]>--><!--";
  EXPECT_TRUE(IsWellFormed(Page(Hostile(bytes), {bytes, bytes, bytes})));
}

TEST(Page, SaysInWordsWhatIsNotFinite) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), 1e308, -1e308, 5e-324, 0.0}) {
    Certificate certificate = SampleRefusal();
    certificate.kl_bounds = {value, value, value};
    for (Divergence& of : certificate.divergences) {
      of.mean_kl = of.p99_kl = of.worst_kl = of.same_best = of.perplexity_a = value;
      of.kl_quantiles.assign(21, value);
    }
    for (GreedyText& of : certificate.greedy) of.gap = value;
    for (LayerDrift& of : certificate.drift) of.nmse = value;
    for (OperationAgreement& of : certificate.operations) of.worst_nmse = of.worst_share = value;
    certificate.soak.seconds = certificate.soak.worst_kl = value;
    certificate.efficiency.memory_gb_s = value;
    for (PhaseSpeed& of : certificate.efficiency.phases) {
      of.tokens_per_s = of.share_of_ceiling = value;
    }
    for (OperationCost& of : certificate.efficiency.costs) {
      of.ms = of.share_of_step = of.share_of_ceiling = of.gain_at_80 = value;
    }
    std::string page = Page(certificate, kSignature);
    EXPECT_TRUE(IsWellFormed(page)) << value;
    // As a number of a mark or in a text; words such as "inference" hold the letters too.
    for (const char* text : {"nan", "NaN", "\"inf", "-inf", " inf ", ">inf", "=inf"}) {
      EXPECT_FALSE(page.contains(text)) << text << " of " << value;
    }
  }
}

TEST(Page, StaysSmallWhateverTheCertificateHolds) {
  Certificate certificate = SampleRefusal();
  certificate.divergences.resize(20'000, certificate.divergences[0]);
  certificate.greedy.resize(20'000, certificate.greedy[0]);
  certificate.drift.resize(20'000, certificate.drift[0]);
  certificate.operations.resize(20'000, certificate.operations[0]);
  certificate.excesses.resize(20'000, certificate.excesses[0]);
  certificate.verdict.guilty.resize(20'000, "x");
  const std::string page = Page(certificate, kSignature);
  EXPECT_LT(page.size(), 1'000'000U);
  EXPECT_TRUE(page.contains("19,800 more rows are in the certificate’s file"));
}

TEST(Plots, WriteNumbersForPeople) {
  using namespace internal;
  EXPECT_EQ(NumberText(0), "0");
  EXPECT_EQ(NumberText(2.71e-5), "2.7×10⁻⁵");
  EXPECT_EQ(NumberText(0.02134), "0.0213");
  EXPECT_EQ(NumberText(412.5), "412");
  EXPECT_EQ(NumberText(1234.4), "1,234");
  EXPECT_EQ(NumberText(1e12), "1.0×10¹²");
  EXPECT_EQ(CountText(-1234567), "-1,234,567");
  EXPECT_EQ(CountText(123), "123");
  EXPECT_EQ(PercentText(0.9996), "99.96 %");
  EXPECT_EQ(PercentText(0.99999), "99.99 %");
  EXPECT_EQ(PercentText(1), "100 %");
  EXPECT_EQ(PercentText(0.371), "37 %");
  EXPECT_EQ(PercentText(0.0005), "< 0.1 %");
}

}  // namespace
}  // namespace switchyard::certify
