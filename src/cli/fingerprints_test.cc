#include "cli/fingerprints.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/sha256.h"
#include "base/temporary_folder.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

void Put(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// What a shell prints for `command` in `folder`, without the line's end.
std::string Shell(const fs::path& folder, const std::string& command) {
  const fs::path output = folder.parent_path() / "shell_output";
  const std::string line =
      fmt::format("cd '{}' && ({}) > '{}'", folder.string(), command, output.string());
  EXPECT_EQ(std::system(line.c_str()), 0);
  std::ifstream stream(output);
  std::string text;
  std::getline(stream, text);
  return text;
}

// The tools of every system give the same, by the command that docs/certificates.md has.
TEST(Sha256OfModel, IsThatOfTheSha256sumTool) {
  const base::TemporaryFolder temporary;
  const fs::path folder = temporary.path() / "model";
  Put(folder / "model-00001-of-00002.safetensors", "weights");
  Put(folder / "model-00002-of-00002.safetensors", "more weights");
  Put(folder / "config.json", "{}");
  Put(folder / "Z", "");
  Put(folder / "sub folder/\u00e9", "text");
  const std::string expected = Shell(
      folder,
      "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum | "
      "cut -d' ' -f1");
  EXPECT_EQ(Sha256OfModel(folder), expected);
  // What is no part of the model changes nothing.
  Put(folder / ".cache/x", "x");
  Put(folder / "config.json.lock", "");
  Put(folder / "config.json.partial", "{");
  EXPECT_EQ(Sha256OfModel(folder), expected);
  // Another name, another text.
  fs::rename(folder / "Z", folder / "Y");
  EXPECT_NE(Sha256OfModel(folder), expected);
}

TEST(Sha256OfModel, TakesAllPartsOfAFileInParts) {
  const base::TemporaryFolder temporary;
  const fs::path folder = temporary.path() / "model";
  const fs::path first = folder / "x-00001-of-00002.gguf";
  Put(first, "GGUF one");
  EXPECT_FALSE(Sha256OfModel(first));
  Put(folder / "x-00002-of-00002.gguf", "GGUF two");
  EXPECT_EQ(Sha256OfModel(first), Shell(folder, "sha256sum x-* | sha256sum | cut -d' ' -f1"));
  Put(folder / "whole.gguf", "GGUF");
  EXPECT_EQ(Sha256OfModel(folder / "whole.gguf"), *base::Sha256OfFile(folder / "whole.gguf"));
}

TEST(Sha256OfModel, RefusesWhatIsNoModel) {
  const base::TemporaryFolder folder;
  EXPECT_EQ(Sha256OfModel(folder.path() / "absent").error().code, base::ErrorCode::kNotFound);
  EXPECT_EQ(Sha256OfModel(folder.path()).error().code, base::ErrorCode::kNotFound);
  EXPECT_FALSE(Sha256OfModel("/dev/zero"));
}

TEST(FingerprintMachine, ReadsWhatTheSystemSays) {
  const base::TemporaryFolder root;
  Put(root.path() / "proc/cpuinfo",
      "processor\t: 0\nmodel name\t: Example 9000 @ 2.6GHz\nmodel name\t: other\n");
  Put(root.path() / "etc/os-release", "NAME=\"Example\"\nPRETTY_NAME=\"Example Linux 12\"\n");
  Put(root.path() / "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  Put(root.path() / "sys/class/dmi/id/product_name", "Server 1\n");
  const certify::MachineFingerprint machine = FingerprintMachine(root.path());
  EXPECT_EQ(machine.processor, "Example 9000 @ 2.6GHz");
  EXPECT_EQ(machine.system.substr(0, 24), "Example Linux 12, Linux ");
  EXPECT_GE(machine.cores, 1U);
  EXPECT_EQ(machine.memory_bytes % (std::uint64_t{1} << 30), 0U);
  EXPECT_EQ(machine.id.size(), 64U);
  EXPECT_EQ(machine.id.find("0123456789abcdef0123"), std::string::npos);
  EXPECT_EQ(FingerprintMachine(root.path()).id, machine.id);
  Put(root.path() / "sys/class/dmi/id/product_name", "Server 2\n");
  EXPECT_NE(FingerprintMachine(root.path()).id, machine.id);
}

TEST(FingerprintMachine, DoesWithoutWhatIsMissing) {
  const base::TemporaryFolder root;
  certify::MachineFingerprint machine = FingerprintMachine(root.path());
  EXPECT_FALSE(machine.processor.empty());  // what uname says
  EXPECT_EQ(machine.system.substr(0, 16), "unknown system, ");
  Put(root.path() / "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp\n");
  Put(root.path() / "proc/device-tree/model", std::string_view("Example Board 5\0", 16));
  machine = FingerprintMachine(root.path());
  EXPECT_EQ(machine.processor, "Example Board 5");
}

}  // namespace
}  // namespace switchyard::cli
