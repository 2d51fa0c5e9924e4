// `switchyard certify verify FILE`: whether a certificate holds here and now. Says what was checked
// on standard output. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/environment.h"

namespace switchyard::cli {

struct VerifyOptions {
  std::filesystem::path certificate;
  // Where the model lies, if not under the name that the certificate has. Never fetched.
  std::string model;
  // Files of public keys to trust besides those that ReadTrustedKeys finds.
  std::vector<std::filesystem::path> trusted;
  // On a machine that has neither chip nor model: signature, dates and verdict only.
  bool elsewhere = false;
  std::optional<std::chrono::sys_seconds> now;  // the clock's, if none is given
};

// kFailedPrecondition and the first reason where it does not hold; all are printed. Nothing that
// the certificate names is opened before a trusted key is seen to have signed it.
base::Status VerifyCertificate(const VerifyOptions& options, const Environment& environment);

}  // namespace switchyard::cli
