// Whether a certificate holds here and now: who signed it, when, and whether the model, the chips
// and the machine are still those that were measured. Pure functions over what the caller measured.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "certify/certificate.h"
#include "certify/signature.h"
#include "certify/signed_certificate.h"

namespace switchyard::certify {

// What is here now; absent is what the caller could not measure.
struct Present {
  std::optional<std::string> model_sha256;
  std::optional<std::string> model_architecture;
  std::optional<std::string> weight_types;
  std::optional<std::string> kv_type;
  std::optional<SideFingerprint> a;
  std::optional<SideFingerprint> b;
  std::optional<MachineFingerprint> machine;
  std::optional<std::string> program;
};

// One field of the fingerprint, in words.
struct FieldThen {
  std::string field;  // "b: plugin"
  std::string then;
};

struct FieldComparison {
  std::string field;
  std::string then;
  std::optional<std::string> now;

  bool has_changed() const { return now && *now != then; }
};

// For people and for the page; in a fixed order.
std::vector<FieldThen> FieldsOf(const Fingerprint& fingerprint);
// The same fields. The model's name is a label, which may change: only its files count.
std::vector<FieldComparison> Compare(const Fingerprint& then, const Present& now);

struct Circumstances {
  std::chrono::sys_seconds now;
  std::vector<PublicKey> trusted;
  Present present;
};

// Why the certificate does not hold, a sentence each; none: it holds. What is absent from `present`
// is no reason: the caller tells what it could not check.
std::vector<std::string> ReasonsAgainst(const SignedCertificate& file,
                                        const Circumstances& circumstances);

}  // namespace switchyard::certify
