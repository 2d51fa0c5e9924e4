#include "device/chip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/temporary_folder.h"

namespace switchyard::device {
namespace {

using testing::HasSubstr;

constexpr auto kShort = std::chrono::milliseconds(500);

ProbeOptions Options(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  return {SWITCHYARD_PROBE, limit};
}

std::filesystem::path Broken(std::string_view name) {
  return fmt::format("{}/switchyard_chip_{}.so", SWITCHYARD_BROKEN_CHIP_DIR, name);
}

std::filesystem::path Real(std::string_view name) {
  return fmt::format("{}/switchyard_chip_{}.so", SWITCHYARD_CHIP_DIR, name);
}

TEST(Probe, TellsTheDevices) {
  const ProbedChip chip = Probe(Real("reference"), Options());
  EXPECT_EQ(chip.name, "reference");
  EXPECT_EQ(chip.problem, "");
  ASSERT_EQ(chip.devices.size(), 1U);
  EXPECT_NE(chip.devices[0].flags & SY_DEVICE_REFERENCE, 0U);
}

TEST(Probe, SurvivesACrash) {
  EXPECT_THAT(Probe(Broken("crashing"), Options()).problem, HasSubstr("was killed by Aborted"));
}

TEST(Probe, SurvivesAHang) {
  EXPECT_THAT(Probe(Broken("hanging"), Options(kShort)).problem,
              HasSubstr("did not answer within 500 ms"));
}

TEST(Probe, IsNotConfusedByOutputAndRefusesLies) {
  EXPECT_THAT(Probe(Broken("printing"), Options()).problem, HasSubstr("claims 2147483647 devices"));
}

TEST(Probe, NamesTheMissingFunction) {
  EXPECT_THAT(Probe(Broken("missing_slot"), Options()).problem,
              HasSubstr("lacks the required function device_count"));
}

TEST(Chip, TellsThePluginWhereToKeepKernels) {
  const base::TemporaryFolder folder;
  const auto kernels = folder.path() / "kernels" / "remembering";
  const auto sentence = [](const base::Result<Chip>& chip) {
    EXPECT_TRUE(chip);
    std::uint32_t count = 0;
    return chip->Check(chip->api().device_count(&count), "counting").error().message;
  };
  EXPECT_THAT(sentence(Chip::Load(Broken("remembering"), kernels)), HasSubstr(kernels.string()));
  EXPECT_TRUE(std::filesystem::is_directory(kernels));
  EXPECT_THAT(sentence(Chip::Load(Broken("remembering"))),
              testing::Not(HasSubstr(folder.path().string())));
  // A folder that cannot be made is none.
  std::ofstream(folder.path() / "file") << "in the way";
  EXPECT_THAT(sentence(Chip::Load(Broken("remembering"), folder.path() / "file" / "kernels")),
              testing::Not(HasSubstr(folder.path().string())));
}

TEST(Probe, AFileThatIsNoPluginIsAProblem) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "switchyard_chip_text.so";
  std::ofstream(path) << "not a library";
  const ProbedChip chip = Probe(path, Options());
  EXPECT_EQ(chip.name, "text");
  EXPECT_THAT(chip.problem, HasSubstr("cannot load chip plugin"));
}

TEST(Probe, AMissingProberIsAProblem) {
  EXPECT_THAT(Probe(Real("reference"), {"/nonexistent/prober", kShort}).problem,
              HasSubstr("/nonexistent/prober"));
}

TEST(FindPlugins, TheFirstOfANameWins) {
  const base::TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  std::ofstream(folder / "switchyard_chip_reference.so") << "";
  std::ofstream(folder / "readme.txt") << "";
  const std::array<std::filesystem::path, 3> folders{folder, SWITCHYARD_CHIP_DIR, "/nonexistent"};
  const auto plugins = FindPlugins(folders);
  ASSERT_FALSE(plugins.empty());
  EXPECT_EQ(plugins[0], folder / "switchyard_chip_reference.so");
  EXPECT_THAT(plugins, testing::Not(testing::Contains(Real("reference"))));
  EXPECT_THAT(plugins, testing::Contains(Real("null")));
}

}  // namespace
}  // namespace switchyard::device
