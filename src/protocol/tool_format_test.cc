#include "protocol/tool_format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace switchyard::protocol {
namespace {

TEST(ToolFormat, IsRecognisedInPublishedTemplates) {
  const std::filesystem::path published = "../shared/data/chat_templates";
  if (!std::filesystem::exists(published)) {
    GTEST_SKIP() << "the published templates are not here: " << published;
  }
  std::ifstream table("tests/protocol/tool_formats.txt");
  int templates = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with('#')) continue;
    std::string expected;
    std::string name;
    std::istringstream(line) >> expected >> name;
    std::ifstream file(published / name);
    ASSERT_TRUE(file) << name;
    std::ostringstream source;
    source << file.rdbuf();
    const ToolFormat* const found = RecogniseToolFormat(source.str());
    EXPECT_EQ(found == nullptr ? "none" : found->name, expected) << name;
    ++templates;
  }
  EXPECT_GT(templates, 50);
}

}  // namespace
}  // namespace switchyard::protocol
