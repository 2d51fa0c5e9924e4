#include "cli/certificates_in_force.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "certify/signed_certificate.h"
#include "certify/utc_time.h"
#include "cli/certificate_files.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using base::Fail;
using Certificates = std::vector<std::optional<server::ChipCertificate>>;

constexpr std::size_t kMaxCertificates = 1000;

struct Candidate {
  fs::path path;
  bool is_named = true;  // by itself, not by its folder
};

base::Result<std::vector<Candidate>> Candidates(std::span<const fs::path> paths) {
  std::vector<Candidate> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back({path});
      continue;
    }
    fs::directory_iterator entry(path, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (entry->path().extension() == ".json") files.push_back({entry->path(), false});
    }
    if (error) {
      return Fail(ErrorCode::kUnavailable, "cannot list the certificates in '{}': {}",
                  path.string(), error.message());
    }
  }
  if (files.size() > kMaxCertificates) {
    return Fail(ErrorCode::kResourceExhausted, "--certificate names {} files; at most {} are read",
                files.size(), kMaxCertificates);
  }
  std::ranges::sort(files, {}, &Candidate::path);
  return files;
}

bool IsOfChip(const certify::SideFingerprint& a, const certify::SideFingerprint& b) {
  return a.chip == b.chip && a.index == b.index;
}

server::ChipCertificate Described(const certify::SignedCertificate& file) {
  return {.against = file.certificate.fingerprint.a.chip,
          .issued = file.certificate.issued,
          .expires = file.certificate.expires,
          .end = *certify::ParseUtcTime(file.certificate.expires),
          .key = file.key.Fingerprint()};
}

base::Status Add(const Candidate& candidate, const ServedHere& here,
                 certify::Circumstances circumstances, Certificates& found) {
  SWITCHYARD_TRY(const std::string text, ReadCertificateText(candidate.path));
  SWITCHYARD_TRY(const auto file, certify::ReadSigned(text, candidate.path.string()));
  const certify::Fingerprint& then = file.certificate.fingerprint;
  bool serves = false;
  for (std::size_t i = 0; i < here.chips.size(); ++i) {
    if (!IsOfChip(here.chips[i], then.b)) continue;
    serves = true;
    if (!candidate.is_named && then.model.sha256 != here.present.model_sha256) continue;
    circumstances.present.b = here.chips[i];
    const auto reasons = certify::ReasonsAgainst(file, circumstances);
    if (!reasons.empty()) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "the certificate '{}' does not hold for chip '{}': {}{}", candidate.path.string(),
                  then.b.chip, reasons.front(),
                  reasons.size() == 1 ? "" : fmt::format(" (and {} more)", reasons.size() - 1));
    }
    auto described = Described(file);
    if (!found[i] || found[i]->end < described.end) found[i] = std::move(described);
  }
  if (serves || !candidate.is_named) return {};
  std::vector<std::string> names;
  for (const auto& chip : here.chips) names.push_back(fmt::format("{}:{}", chip.chip, chip.index));
  return Fail(ErrorCode::kFailedPrecondition,
              "the certificate '{}' is of chip {}:{}, and {} serves; name one that is of it",
              candidate.path.string(), then.b.chip, then.b.index, fmt::join(names, ", "));
}

}  // namespace

base::Result<Certificates> CertificatesInForce(std::span<const fs::path> paths,
                                               const ServedHere& here,
                                               const std::vector<certify::PublicKey>& trusted,
                                               std::chrono::sys_seconds now) {
  SWITCHYARD_TRY(const auto files, Candidates(paths));
  Certificates found(here.chips.size());
  for (const Candidate& file : files) {
    SWITCHYARD_RETURN_IF_ERROR(Add(file, here, {now, trusted, here.present}, found));
  }
  return found;
}

}  // namespace switchyard::cli
