#include "model/publisher_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace switchyard::model {
namespace {

// A copy of a golden folder's weights with other files beside them.
class PublisherSettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"config.json", "model.safetensors"}) {
      std::filesystem::copy_file(std::filesystem::path("tests/goldens/architectures/llama") / name,
                                 folder_.path() / name);
    }
  }

  void Write(const char* name, const char* text) { std::ofstream(folder_.path() / name) << text; }

  PublisherSettings Read() {
    const auto checkpoint = Checkpoint::Open(folder_.path());
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    const auto settings = ReadPublisherSettings(*checkpoint);
    EXPECT_TRUE(settings) << settings.error().message;
    return settings.value_or(PublisherSettings{});
  }

  base::TemporaryFolder folder_;
};

TEST_F(PublisherSettingsTest, AreEmptyWhereNothingIsPublished) {
  const PublisherSettings settings = Read();
  EXPECT_EQ(settings.chat_template, "");
  EXPECT_EQ(settings.bos_token, "");
  EXPECT_FALSE(settings.generation.temperature);
  EXPECT_THAT(settings.generation.end_tokens, testing::ElementsAre(2));  // config.json's
}

TEST_F(PublisherSettingsTest, ReadSamplingAndEndTokens) {
  Write("generation_config.json",
        R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95,
            "eos_token_id": [7, 9], "repetition_penalty": 1.05})");
  const GenerationDefaults defaults = Read().generation;
  EXPECT_EQ(defaults.sample, true);
  EXPECT_FLOAT_EQ(defaults.temperature.value_or(0.0F), 0.6F);
  EXPECT_EQ(defaults.top_k, 20);
  EXPECT_FLOAT_EQ(defaults.repetition_penalty.value_or(0.0F), 1.05F);
  EXPECT_FALSE(defaults.min_p);
  EXPECT_THAT(defaults.end_tokens, testing::ElementsAre(7, 9, 2));
}

TEST_F(PublisherSettingsTest, IgnoreRecommendationsThatMakeNoSense) {
  Write("generation_config.json",
        R"({"temperature": -3, "top_k": 1e30, "top_p": "all", "eos_token_id": [-4, "x", 1e9]})");
  const GenerationDefaults defaults = Read().generation;
  EXPECT_FALSE(defaults.temperature);
  EXPECT_FALSE(defaults.top_k);
  EXPECT_FALSE(defaults.top_p);
  EXPECT_THAT(defaults.end_tokens, testing::ElementsAre(2));
}

TEST_F(PublisherSettingsTest, FindChatTemplatesInAllTheirPlaces) {
  Write("chat_template.json", R"({"chat_template": "from json"})");
  EXPECT_EQ(Read().chat_template, "from json");
  Write("tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": {"content": "</s>"},
            "chat_template": [{"name": "tool_use", "template": "tools"},
                              {"name": "default", "template": "from list"}]})");
  const PublisherSettings listed = Read();
  EXPECT_EQ(listed.chat_template, "from list");
  EXPECT_EQ(listed.bos_token, "<s>");
  EXPECT_EQ(listed.eos_token, "</s>");
  Write("chat_template.jinja", "from file");
  EXPECT_EQ(Read().chat_template, "from file");
}

TEST(PublisherSettings, AreReadFromGguf) {
  test_support::TinyModel model = test_support::TinyModel::Llama();
  model.settings["tokenizer.chat_template"] = "{{ messages }}";
  model.settings["general.sampling.temp"] = 0.7F;
  model.settings["general.sampling.top_k"] = 12U;
  const auto bytes = model.Bytes();
  auto file = GgufFile::Parse(bytes, "test");
  ASSERT_TRUE(file) << file.error().message;
  const auto checkpoint = Checkpoint::FromGguf(std::move(*file));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto settings = ReadPublisherSettings(*checkpoint);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->chat_template, "{{ messages }}");
  EXPECT_FLOAT_EQ(settings->generation.temperature.value_or(0.0F), 0.7F);
  EXPECT_EQ(settings->generation.top_k, 12);
}

}  // namespace
}  // namespace switchyard::model
