#include "certify/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace switchyard::certify {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Certificate Good() {
  Certificate certificate;
  certificate.fingerprint.a.chip = "trusted";
  certificate.fingerprint.b.chip = "new";
  Divergence divergence;
  divergence.positions = 1000;
  divergence.mean_kl = 1e-6;
  divergence.p99_kl = 1e-5;
  divergence.worst_kl = 1e-4;
  divergence.perplexity_a = 10;
  divergence.perplexity_b = 10.001;
  certificate.divergences = {divergence};
  certificate.greedy = {{"a prompt", 64, std::nullopt, 0}};
  certificate.operations = {{"linear", "q4_0", 100, 0, 0, 1e-9, 0.1, "rounding"}};
  certificate.soak.steps = 100;
  return certificate;
}

std::vector<std::string> Broken(Certificate certificate) {
  Judge(certificate, BoundsFor(ops::Operands::kF16), {});
  std::vector<std::string> broken;
  for (const Check& check : certificate.verdict.checks) {
    if (!check.is_kept) broken.push_back(check.what);
  }
  EXPECT_EQ(certificate.verdict.is_equivalent, broken.empty());
  return broken;
}

TEST(Verdict, GoodIsEquivalent) {
  Certificate certificate = Good();
  Judge(certificate, BoundsFor(ops::Operands::kF16), {});
  EXPECT_TRUE(certificate.verdict.is_equivalent);
  EXPECT_THAT(certificate.verdict.sentence, HasSubstr("'new' are as good as those of 'trusted'"));
}

TEST(Verdict, EachBoundRefuses) {
  Certificate certificate = Good();
  certificate.divergences[0].mean_kl = 2e-4;
  EXPECT_THAT(Broken(certificate), ElementsAre("mean KL of a scenario"));
  certificate = Good();
  certificate.divergences[0].worst_kl = NAN;
  EXPECT_THAT(Broken(certificate), ElementsAre("worst KL of a position"));
  certificate = Good();
  certificate.divergences[0].same_best = 0.98;
  EXPECT_THAT(Broken(certificate), ElementsAre("share of positions with the same best token"));
  certificate = Good();
  certificate.divergences[0].perplexity_b = 9.9;
  EXPECT_THAT(Broken(certificate), ElementsAre("relative difference of perplexity"));
  certificate = Good();
  certificate.greedy[0].first_difference = 3;
  certificate.greedy[0].gap = 0.06;
  EXPECT_THAT(Broken(certificate),
              ElementsAre("gap of the two best logits where greedy texts part"));
  certificate = Good();
  certificate.operations[0].exceeded = 1;
  EXPECT_THAT(Broken(certificate), ElementsAre("operations beyond their tolerance"));
  certificate = Good();
  certificate.soak.changed = 1;
  EXPECT_THAT(Broken(certificate), ElementsAre("steps of the soak that changed their result"));
}

TEST(Verdict, WhatWasNotMeasuredIsNotEquivalent) {
  EXPECT_THAT(Broken({}),
              ElementsAre("positions compared", "share of positions with the same best token",
                          "operations beyond their tolerance",
                          "steps of the soak that changed their result"));
  Certificate certificate = Good();
  certificate.divergences[0].same_best = NAN;
  EXPECT_THAT(Broken(certificate), ElementsAre("share of positions with the same best token"));
}

TEST(Verdict, ANearTieIsNoFault) {
  Certificate certificate = Good();
  certificate.greedy[0].first_difference = 3;
  certificate.greedy[0].gap = 0.01;
  EXPECT_THAT(Broken(certificate), ElementsAre());
}

TEST(Verdict, NamesTheFirstOperationThatIsWrong) {
  Certificate certificate = Good();
  certificate.operations[0].exceeded = 1;
  certificate.excesses = {
      {"decode", 7, "linear", "blk.7.attn_q.weight", "[1, 4] x [4, 4]", "element 0 is 1, not 2"}};
  Judge(certificate, BoundsFor(ops::Operands::kF16), {"linear"});
  EXPECT_THAT(certificate.verdict.guilty, ElementsAre("linear"));
  EXPECT_THAT(certificate.verdict.sentence,
              HasSubstr("linear blk.7.attn_q.weight of layer 7, in decode: element 0 is 1"));
}

TEST(Verdict, WhatRanOnTheReferenceIsSaid) {
  Certificate certificate = Good();
  certificate.operations[0].on_fallback = 12;
  Judge(certificate, BoundsFor(ops::Operands::kF16), {});
  EXPECT_THAT(certificate.verdict.sentence, HasSubstr("12 operations run on the reference"));
}

}  // namespace
}  // namespace switchyard::certify
