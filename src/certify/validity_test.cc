#include "certify/validity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "certify/utc_time.h"
#include "tests/support/sample_certificate.h"

namespace switchyard::certify {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

SignedCertificate File() {
  return {SampleCertificate(), PrivateKey::FromSeed(std::string(32, 'k'))->public_key(), true, {}};
}

// Everything as it was, half a month later.
Circumstances Unchanged() {
  const Fingerprint fingerprint = SampleCertificate().fingerprint;
  Circumstances circumstances;
  circumstances.now = *ParseUtcTime("2026-12-07T00:00:00Z");
  circumstances.trusted = {PrivateKey::FromSeed(std::string(32, 'o'))->public_key(), File().key};
  circumstances.present = {.model_sha256 = fingerprint.model.sha256,
                           .model_architecture = fingerprint.model.architecture,
                           .weight_types = fingerprint.model.weight_types,
                           .kv_type = fingerprint.model.kv_type,
                           .a = fingerprint.a,
                           .b = fingerprint.b,
                           .machine = fingerprint.machine,
                           .program = fingerprint.program};
  return circumstances;
}

TEST(Validity, HoldsWhereNothingHasChanged) {
  EXPECT_THAT(ReasonsAgainst(File(), Unchanged()), IsEmpty());
}

TEST(Validity, AsksForSignatureAndTrust) {
  SignedCertificate file = File();
  file.is_signed_by_key = false;
  EXPECT_THAT(ReasonsAgainst(file, Unchanged()), ElementsAre(HasSubstr("signature is wrong")));
  Circumstances circumstances = Unchanged();
  circumstances.trusted.pop_back();
  EXPECT_THAT(ReasonsAgainst(File(), circumstances), ElementsAre(HasSubstr("SHA256:")));
  circumstances.trusted.clear();
  EXPECT_THAT(ReasonsAgainst(File(), circumstances), ElementsAre(HasSubstr("not among the 0")));
}

TEST(Validity, LastsFromItsIssueUntilItExpires) {
  Circumstances circumstances = Unchanged();
  const auto at = [&](const char* time) {
    circumstances.now = *ParseUtcTime(time);
    return ReasonsAgainst(File(), circumstances);
  };
  EXPECT_THAT(at("2026-11-22T09:29:59Z"), ElementsAre(HasSubstr("not valid before")));
  EXPECT_THAT(at("2026-11-22T09:30:00Z"), IsEmpty());
  EXPECT_THAT(at("2027-02-20T09:29:59Z"), IsEmpty());
  EXPECT_THAT(at("2027-02-20T09:30:00Z"),
              ElementsAre("it expired at 2027-02-20T09:30:00Z; here it is 2027-02-20T09:30:00Z"));
  SignedCertificate file = File();
  file.certificate.expires = file.certificate.issued;
  EXPECT_THAT(ReasonsAgainst(file, Unchanged()), Contains(HasSubstr("not after it was issued")));
  file.certificate.expires = "never";
  EXPECT_THAT(ReasonsAgainst(file, Unchanged()), ElementsAre("its dates cannot be read"));
}

TEST(Validity, NeedsAVerdictThatItsChecksBear) {
  SignedCertificate file = File();
  file.certificate.verdict.is_equivalent = false;
  EXPECT_THAT(ReasonsAgainst(file, Unchanged()), ElementsAre(HasSubstr("not equivalent")));
  file.certificate.verdict.is_equivalent = true;
  file.certificate.verdict.checks[0].is_kept = false;
  EXPECT_THAT(ReasonsAgainst(file, Unchanged()), ElementsAre(HasSubstr("'mean KL' is not kept")));
}

TEST(Validity, EndsWithAnyChangeOfTheFingerprint) {
  const auto after = [](auto change) {
    Circumstances circumstances = Unchanged();
    change(circumstances.present);
    return ReasonsAgainst(File(), circumstances);
  };
  const std::string b(64, 'b');
  EXPECT_THAT(
      after([](Present& now) { now.b->plugin_sha256 = std::string(64, 'e'); }),
      ElementsAre("B: plugin sha256 has changed: then " + b + ", now " + std::string(64, 'e')));
  EXPECT_THAT(after([](Present& now) { now.model_sha256 = ""; }),
              ElementsAre(HasSubstr("model: sha256 has changed: then c")));
  EXPECT_THAT(after([](Present& now) { now.b->options.clear(); }),
              ElementsAre("B: options has changed: then threads=2, now none"));
  EXPECT_THAT(after([](Present& now) { now.machine->memory_bytes += 1; }),
              ElementsAre("machine: memory in bytes has changed: then 8318390272, now 8318390273"));
  for (const auto& change : std::vector<std::function<void(Present&)>>{
           [](Present& now) { *now.model_architecture += "x"; },
           [](Present& now) { *now.weight_types += "x"; },
           [](Present& now) { *now.kv_type += "x"; }, [](Present& now) { now.a->chip += "x"; },
           [](Present& now) { now.a->plugin_sha256 += "x"; },
           [](Present& now) { now.b->device += "x"; }, [](Present& now) { now.b->maker += "x"; },
           [](Present& now) { now.b->architecture += "x"; },
           [](Present& now) { now.b->proof += "x"; }, [](Present& now) { now.b->units += 1; },
           [](Present& now) { now.machine->processor += "x"; },
           [](Present& now) { now.machine->cores += 1; },
           [](Present& now) { now.machine->system += "x"; },
           [](Present& now) { now.machine->id += "x"; },
           [](Present& now) { *now.program += "x"; }}) {
    EXPECT_THAT(after(change), SizeIs(1));
  }
}

TEST(Validity, LeavesOutWhatIsNotKnown) {
  Circumstances circumstances = Unchanged();
  circumstances.present = {};
  EXPECT_THAT(ReasonsAgainst(File(), circumstances), IsEmpty());
  const auto fields = Compare(File().certificate.fingerprint, {});
  EXPECT_EQ(fields.size(), FieldsOf(File().certificate.fingerprint).size() - 1);
  for (const FieldComparison& field : fields) EXPECT_FALSE(field.now) << field.field;
}

}  // namespace
}  // namespace switchyard::certify
