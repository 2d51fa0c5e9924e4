// The certificates that vouch for the chips that serve, of the files and folders that the operator
// names: each is held against what is here, as `certify verify` does, but for the chip that it was
// held against, which need not be here. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "certify/validity.h"
#include "server/chip_certificate.h"

namespace switchyard::cli {

struct ServedHere {
  certify::Present present;                     // without the chips
  std::vector<certify::SideFingerprint> chips;  // that serve
};

// One for each chip that serves, of several the one that lasts longest. A file must hold for a chip
// that serves; so must those .json files of a folder that are of this model and of such a chip, and
// its others are passed over. Else kFailedPrecondition, and why.
base::Result<std::vector<std::optional<server::ChipCertificate>>> CertificatesInForce(
    std::span<const std::filesystem::path> paths, const ServedHere& here,
    const std::vector<certify::PublicKey>& trusted, std::chrono::sys_seconds now);

}  // namespace switchyard::cli
