// What the model, the chips and the machine of here and now are, as certificates record them and
// `certify verify` compares them. Reads whole models, so it may take as long as the disk needs. Any
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "certify/certificate.h"
#include "device/device.h"

namespace switchyard::cli {

// Of a GGUF file. Of a folder, or of a GGUF model in several parts: of the lines that
// `sha256sum NAME...` prints for its files in the order of their names' bytes. Hidden files and
// what a download leaves beside them (.lock, .partial) do not count.
base::Result<std::string> Sha256OfModel(const std::filesystem::path& path);

// `plugin` is the file that the device's chip was loaded from, `options` what it was opened with.
base::Result<certify::SideFingerprint> FingerprintSide(
    const device::Device& device, const std::filesystem::path& plugin, std::uint32_t index,
    const std::vector<device::DeviceOption>& options);

// Reads /proc, /sys and /etc below `root`, all of which any user may read: a certificate that one
// user makes holds for another. docs/certificates.md says what each field is.
certify::MachineFingerprint FingerprintMachine(const std::filesystem::path& root = "/");

// Switchyard's version.
std::string_view ProgramVersion();

}  // namespace switchyard::cli
