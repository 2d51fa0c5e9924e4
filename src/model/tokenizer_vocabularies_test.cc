// Vocabularies of many families as GGUF files: llama.cpp's published texts (.inp) must give their
// published ids (.out). Where only texts and ids are at hand, the GGUF metadata are written here
// from the family's tokenizer.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "model/internal/tokenizer/tokenizer_json.h"
#include "model/tokenizer.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/read_file.h"

namespace switchyard::model {
namespace {

const std::filesystem::path kVocabularies = "../shared/data/vocabs";
const std::filesystem::path kFetched = "build/test_data/vocabularies";

std::vector<std::string> SplitTexts(std::string_view file) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  for (std::size_t end; (end = file.find(kSeparator)) != std::string_view::npos;) {
    texts.emplace_back(file.substr(0, end));
    file.remove_prefix(end + kSeparator.size());
  }
  if (!file.empty()) texts.emplace_back(file);
  return texts;
}

std::vector<std::vector<TokenId>> ParseIds(const std::string& file) {
  std::vector<std::vector<TokenId>> all;
  std::istringstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    all.emplace_back(std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>());
  }
  return all;
}

// `back`: whether decoding gives the text again.
void ExpectPublishedIds(const Tokenizer& tokenizer, const std::string& name, bool back) {
  const auto inputs = ReadFile(kVocabularies / ("ggml-vocab-" + name + ".gguf.inp"));
  const auto outputs = ReadFile(kVocabularies / ("ggml-vocab-" + name + ".gguf.out"));
  ASSERT_TRUE(inputs && outputs);
  const std::vector<std::string> texts = SplitTexts(*inputs);
  const std::vector<std::vector<TokenId>> ids = ParseIds(*outputs);
  ASSERT_EQ(texts.size(), ids.size());
  ASSERT_GT(texts.size(), 40U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.Encode(texts[i], {.add_special = false}).value(), ids[i])
        << "'" << texts[i] << "'";
    if (back) {
      EXPECT_EQ(tokenizer.Decode(ids[i], /*skip_special=*/false), texts[i]);
    }
  }
}

class PublishedVocabularyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(PublishedVocabularyTest, GivesThePublishedIds) {
  const auto path = kVocabularies / ("ggml-vocab-" + GetParam() + ".gguf");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  auto file = GgufFile::Open(path);
  ASSERT_TRUE(file) << file.error().message;
  auto tokenizer = Tokenizer::FromGguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  ExpectPublishedIds(**tokenizer, GetParam(), /*back=*/GetParam() != "bert-bge");
}

INSTANTIATE_TEST_SUITE_P(Files, PublishedVocabularyTest,
                         ::testing::Values("bert-bge", "deepseek-coder", "gpt-2", "llama-spm",
                                           "phi-3", "refact", "starcoder"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// What llama.cpp's converter would write for a tokenizer.json.
std::vector<std::byte> ToGguf(const std::string& tokenizer_json, const std::string& model,
                              const std::string& pre) {
  auto json = tokenization::ParseTokenizerJson(tokenizer_json);
  if (!json) return {};
  std::size_t size = 0;
  for (const auto& [name, id] : json->vocabulary) {
    size = std::max(size, static_cast<std::size_t>(id) + 1);
  }
  const auto& added = json->tree["added_tokens"];
  for (const auto& token : added) size = std::max(size, token["id"].get<std::size_t>() + 1);
  std::vector<std::string> tokens(size);
  std::vector<std::int32_t> types(size, 1);
  for (const auto& [name, id] : json->vocabulary) tokens[static_cast<std::size_t>(id)] = name;
  for (const auto& token : added) {
    const auto id = token["id"].get<std::size_t>();
    tokens[id] = token["content"].get<std::string>();
    types[id] = token["special"].get<bool>() ? 3 : 4;
  }
  std::vector<std::string> merges;
  merges.reserve(json->merges.size());
  for (const auto& [left, right] : json->merges) merges.push_back(left + " " + right);

  test_support::GgufWriter writer;
  writer.Set("tokenizer.ggml.model", model);
  writer.Set("tokenizer.ggml.pre", pre);
  writer.SetArray("tokenizer.ggml.tokens", tokens);
  writer.SetArray("tokenizer.ggml.token_type", types);
  writer.SetArray("tokenizer.ggml.merges", merges);
  return writer.Bytes();
}

struct Converted {
  std::string name;    // of the texts and ids
  std::string source;  // of the tokenizer.json
  std::string model;
  std::string pre;
};

class ConvertedVocabularyTest : public ::testing::TestWithParam<Converted> {};

TEST_P(ConvertedVocabularyTest, GivesThePublishedIds) {
  const Converted& family = GetParam();
  if (!std::filesystem::exists(kVocabularies)) GTEST_SKIP() << kVocabularies << " is absent";
  const auto json = ReadFile(kFetched / family.source / "tokenizer.json");
  if (!json) {
    GTEST_SKIP() << family.source << " is absent; run tests/tokenizers/get_vocabularies.sh";
  }
  const std::vector<std::byte> bytes = ToGguf(*json, family.model, family.pre);
  auto file = GgufFile::Parse(bytes, "converted");
  ASSERT_TRUE(file) << file.error().message;
  auto tokenizer = Tokenizer::FromGguf(*file);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  ExpectPublishedIds(**tokenizer, family.name, /*back=*/true);
}

// Gemma 4 shares Gemma 3's tokens as far as these texts go, and Qwen 3.5's texts were encoded with
// the tokens of Qwen 2 and a pattern of their own.
INSTANTIATE_TEST_SUITE_P(Files, ConvertedVocabularyTest,
                         ::testing::Values(Converted{"gemma-4", "gemma3", "gemma4", "gemma4"},
                                           Converted{"llama-bpe", "llama3_1", "gpt2", "llama-bpe"},
                                           Converted{"qwen2", "qwen3", "gpt2", "qwen2"},
                                           Converted{"qwen35", "qwen3", "gpt2", "qwen35"}),
                         [](const auto& instance) {
                           std::string name = instance.param.name;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace switchyard::model
