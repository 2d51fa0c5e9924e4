#include "cli/verify_certificate.h"

#include <algorithm>

#include "certify/signed_certificate.h"
#include "certify/utc_time.h"
#include "certify/validity.h"
#include "cli/certificate_files.h"
#include "cli/fingerprints.h"
#include "cli/local_chips.h"
#include "cli/model_store.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;
using certify::Certificate;
using certify::Fingerprint;
using certify::Present;
using certify::SideFingerprint;

// Measures what is here; what cannot be measured is a reason, for it cannot be known to be the
// same.
class Remeasurement {
 public:
  Remeasurement(const VerifyOptions& options, const Environment& environment)
      : options_(options), environment_(environment) {}

  void Run(const Fingerprint& then) {
    present_.machine = FingerprintMachine();
    present_.program = std::string(ProgramVersion());
    Keep(present_.b, Side(then.b));
    Keep(present_.a, Side(then.a));
    Keep(present_.model_sha256, Model(then));
    if (present_.model_sha256 == then.model.sha256) {
      // The same bytes under the same program: it reads the same from them.
      present_.model_architecture = then.model.architecture;
      present_.weight_types = then.model.weight_types;
    }
  }

  const Present& present() const { return present_; }
  const std::vector<std::string>& reasons() const { return reasons_; }

 private:
  template <typename T>
  void Keep(std::optional<T>& place, Result<T> measured) {
    if (measured) {
      place = *std::move(measured);
    } else {
      reasons_.push_back(std::move(measured.error().message));
    }
  }

  Result<SideFingerprint> Side(const SideFingerprint& then) const {
    SWITCHYARD_TRY(const auto device_options, ParseDeviceOptions(then.options));
    const ChipChoice choice{then.chip, then.index, device_options, false};
    SWITCHYARD_TRY(const auto opened, OpenedChip::Open(choice, environment_));
    return FingerprintSide(opened->device(), opened->plugin(), then.index, device_options);
  }

  Result<std::string> Model(const Fingerprint& then) const {
    SWITCHYARD_TRY(const ModelStore store, ModelStore::Create(ReadModelStoreOptions(environment_)));
    const std::string& name = options_.model.empty() ? then.model.name : options_.model;
    const auto found = store.Resolve(name, Freshness::kOnlyCached, {});
    if (!found) {
      return base::Rethrow(found.error(), "the model was not found, say where it is with --model");
    }
    return Sha256OfModel(found->path);
  }

  const VerifyOptions& options_;
  const Environment& environment_;
  Present present_;
  std::vector<std::string> reasons_;
};

// Digests are told apart by their first digits; other long texts are cut.
std::string Short(const std::string& text) {
  constexpr std::size_t kDigest = 64;
  constexpr std::size_t kWidth = 34;
  const bool is_digest = text.size() == kDigest && std::ranges::all_of(text, [](char c) {
                           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                         });
  std::string one_line = text.empty() ? "nothing" : text;
  std::ranges::replace(one_line, '\n', ' ');
  const std::size_t width = is_digest ? 16 : kWidth;
  if (one_line.size() <= width) return one_line;
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(one_line[end]) & 0xC0) == 0x80) --end;
  return one_line.substr(0, end) + "…";
}

void PrintFields(const Fingerprint& then, const Present& now) {
  fmt::print("\n  {:<28}{:<37}{:<37}\n", "", "then", "now");
  for (const certify::FieldComparison& field : certify::Compare(then, now)) {
    const std::string present = !field.now            ? "not measured"
                                : field.has_changed() ? Short(*field.now)
                                                      : "the same";
    fmt::print("{} {:<28}{:<37}{:<37}\n",
               field.has_changed() ? "✕"
               : field.now         ? "✓"
                                   : "·",
               field.field, Short(field.then), present);
  }
}

void PrintSignature(const certify::SignedCertificate& file, const std::vector<TrustedKey>& keys) {
  const auto known = std::ranges::find(keys, file.key, &TrustedKey::key);
  fmt::print("signature  {}\n", file.is_signed_by_key ? "right" : "WRONG");
  fmt::print("key        {}, {}\n", file.key.Fingerprint(),
             known == keys.end() ? "not trusted here" : "trusted as " + known->file.string());
}

}  // namespace

Status VerifyCertificate(const VerifyOptions& options, const Environment& environment) {
  SWITCHYARD_TRY(const std::string text, ReadCertificateText(options.certificate));
  SWITCHYARD_TRY(const certify::SignedCertificate file,
                 certify::ReadSigned(text, options.certificate.string()));
  SWITCHYARD_TRY(const std::vector<TrustedKey> keys, ReadTrustedKeys(environment, options.trusted));
  const Certificate& certificate = file.certificate;
  const Fingerprint& fingerprint = certificate.fingerprint;

  fmt::print("{} on {} held against {}: {}\n", fingerprint.model.name, fingerprint.b.chip,
             fingerprint.a.chip,
             certificate.verdict.is_equivalent ? "equivalent" : "NOT equivalent");
  fmt::print("{}\n\n", certificate.verdict.sentence);
  PrintSignature(file, keys);
  fmt::print("valid      {} to {}\n", certificate.issued, certificate.expires);

  certify::Circumstances circumstances;
  circumstances.now =
      options.now ? *options.now
                  : std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  for (const TrustedKey& key : keys) circumstances.trusted.push_back(key.key);

  const bool is_trusted =
      file.is_signed_by_key && std::ranges::find(keys, file.key, &TrustedKey::key) != keys.end();
  Remeasurement here(options, environment);
  if (is_trusted && !options.elsewhere) {
    here.Run(fingerprint);
    circumstances.present = here.present();
    PrintFields(fingerprint, circumstances.present);
    fmt::print("  (the KV type is a choice of each run: it holds for {} only)\n",
               fingerprint.model.kv_type);
  }
  std::vector<std::string> reasons = certify::ReasonsAgainst(file, circumstances);
  reasons.insert(reasons.end(), here.reasons().begin(), here.reasons().end());

  if (options.elsewhere || !is_trusted) {
    fmt::print(
        "\nNot checked: whether model, chips, machine and Switchyard are still those that "
        "were certified{}.\n",
        options.elsewhere ? "" : ", since no trusted key vouches for what it names");
  }
  if (reasons.empty()) {
    fmt::print("\nThe certificate {}.\n", options.elsewhere ? "is genuine and in date" : "holds");
    return {};
  }
  fmt::print("\nThe certificate does not hold:\n");
  for (const std::string& reason : reasons) fmt::print("- {}\n", reason);
  return Fail(ErrorCode::kFailedPrecondition, "'{}' does not hold: {}{}",
              options.certificate.string(), reasons.front(),
              reasons.size() == 1 ? "" : fmt::format(" (and {} more)", reasons.size() - 1));
}

}  // namespace switchyard::cli
