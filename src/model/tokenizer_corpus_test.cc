// Our tokenizers against Hugging Face's over a corpus of more than 5,000 texts: the expectations of
// tests/tokenizers/expected were written by make_expected.py there, which says what they hold. The
// corpus and the vocabularies are too large for the repository; get_vocabularies.sh fetches them.
#include <gtest/gtest.h>

#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
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

const std::filesystem::path kData = "build/test_data";
constexpr std::string_view kFetch = "; run tests/tokenizers/get_vocabularies.sh to have it";

std::uint32_t Fnv1a(std::string_view bytes) {
  std::uint32_t hash = 0x811C9DC5;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193;
  return hash;
}

std::uint32_t HashOf(const std::vector<TokenId>& ids) {
  std::string bytes;
  for (const TokenId id : ids) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(id >> shift));
  }
  return Fnv1a(bytes);
}

std::vector<std::string> SplitCorpus(std::string_view file) {
  std::vector<std::string> texts;
  while (file.size() >= 4) {
    std::size_t size = 0;
    for (std::size_t i = 4; i > 0; --i) size = size << 8 | static_cast<unsigned char>(file[i - 1]);
    texts.emplace_back(file.substr(4, size));
    file.remove_prefix(4 + size);
  }
  return texts;
}

struct Expected {
  std::map<std::string, std::string> header;
  struct Text {
    std::uint32_t ids;
    std::uint32_t decoded;
  };
  std::vector<Text> texts;
};

Expected ParseExpected(const std::string& file) {
  Expected expected;
  std::istringstream lines(file);
  std::string line;
  while (std::getline(lines, line) && !line.empty()) {
    const std::size_t space = line.find(' ');
    expected.header[line.substr(0, space)] = line.substr(space + 1);
  }
  while (std::getline(lines, line)) {
    for (std::size_t i = 0; i + 12 <= line.size(); i += 12) {
      Expected::Text text{};
      std::from_chars(&line[i], &line[i + 8], text.ids, 16);
      std::from_chars(&line[i + 8], &line[i] + 12, text.decoded, 16);
      expected.texts.push_back(text);
    }
  }
  return expected;
}

std::string Printable(std::string_view text) {
  std::ostringstream out;
  for (const char c : text.substr(0, 60)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isprint(byte) != 0) {
      out << c;
    } else {
      out << "\\x" << std::hex << int{byte} << std::dec;
    }
  }
  return out.str();
}

std::vector<std::uint8_t> DecodeBase64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) break;  // '=' fills the last group
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> count));
  }
  return bytes;
}

// The GGUF metadata that llama.cpp's converter writes for a SentencePiece unigram model.
std::vector<std::byte> UnigramAsGguf(const std::string& tokenizer_json) {
  const auto json = tokenization::ParseTokenizerJson(tokenizer_json);
  if (!json) return {};
  std::vector<std::string> tokens;
  std::vector<float> scores;
  for (const auto& [name, score] : json->scored_vocabulary) {
    tokens.push_back(name);
    scores.push_back(static_cast<float>(score));
  }
  const auto unknown = json->tree["model"]["unk_id"].get<std::uint32_t>();
  std::vector<std::int32_t> types(tokens.size(), 1);
  for (const auto& token : json->tree["added_tokens"]) {
    const auto id = token["id"].get<std::uint32_t>();
    types[id] = id == unknown ? 2 : token["special"].get<bool>() ? 3 : 4;
  }
  test_support::GgufWriter writer;
  writer.Set("tokenizer.ggml.model", "t5");
  writer.Set("tokenizer.ggml.pre", "default");
  writer.SetArray("tokenizer.ggml.tokens", tokens);
  writer.SetArray("tokenizer.ggml.scores", scores);
  writer.SetArray("tokenizer.ggml.token_type", types);
  writer.Set("tokenizer.ggml.unknown_token_id", unknown);
  writer.Set("tokenizer.ggml.add_space_prefix", true);
  writer.Set("tokenizer.ggml.remove_extra_whitespaces", true);
  const auto& first_step = json->tree["normalizer"]["normalizers"][0];
  writer.SetArray("tokenizer.ggml.precompiled_charsmap",
                  DecodeBase64(first_step["precompiled_charsmap"].get<std::string>()));
  return writer.Bytes();
}

// `name`: whose expectations these are.
void ExpectIds(const Tokenizer& tokenizer, const std::string& name, const std::string& corpus) {
  const auto file = ReadFile("tests/tokenizers/expected/" + name + ".txt");
  ASSERT_TRUE(file);
  const Expected expected = ParseExpected(*file);
  const std::vector<std::string> texts = SplitCorpus(corpus);
  ASSERT_GE(texts.size(), 5000U);
  ASSERT_EQ(texts.size(), expected.texts.size()) << "the corpus is another one" << kFetch;

  std::size_t count = 0;
  int wrong = 0;
  int wrong_back = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids =
        tokenizer.Encode(texts[i], {.add_special = false, .parse_special = true}).value();
    count += ids.size();
    if (HashOf(ids) != expected.texts[i].ids) {
      if (++wrong <= 8) {
        std::ostringstream shown;
        for (std::size_t k = 0; k < ids.size() && k < 24; ++k) shown << ids[k] << ' ';
        ADD_FAILURE() << "text " << i << " '" << Printable(texts[i]) << "' gave " << shown.str();
      }
      continue;
    }
    const std::string decoded = tokenizer.Decode(ids, /*skip_special=*/false);
    const std::uint32_t hash = Fnv1a(decoded);
    if ((hash >> 16 ^ (hash & 0xFFFF)) != expected.texts[i].decoded && ++wrong_back <= 8) {
      ADD_FAILURE() << "text " << i << " '" << Printable(texts[i]) << "' came back as '"
                    << Printable(decoded) << "'";
    }
  }
  EXPECT_EQ(wrong, 0) << "of " << texts.size() << " texts";
  EXPECT_EQ(wrong_back, 0);
  EXPECT_EQ(std::to_string(count), expected.header.at("ids"));
}

std::unique_ptr<Tokenizer> FromGguf(const base::Result<GgufFile>& file) {
  EXPECT_TRUE(file) << file.error().message;
  if (!file) return nullptr;
  auto tokenizer = Tokenizer::FromGguf(*file);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

// Null where the file is absent.
std::unique_ptr<Tokenizer> Load(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return nullptr;
  if (path.extension() == ".gguf") return FromGguf(GgufFile::Open(path));
  auto tokenizer = Tokenizer::FromHuggingFace(*ReadFile(path), "");
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

class CorpusTest : public ::testing::TestWithParam<std::string> {};

TEST_P(CorpusTest, GivesTheIdsOfHuggingFace) {
  const std::string name = GetParam();
  const auto corpus = ReadFile(kData / "corpus.bin");
  if (!corpus) GTEST_SKIP() << "the corpus is absent" << kFetch;
  const std::filesystem::path path =
      name == "smollm2" ? kData / "smollm2.gguf"
      : name == "bert"  ? std::filesystem::path("../shared/data/vocabs/ggml-vocab-bert-bge.gguf")
                        : kData / "vocabularies" / name / "tokenizer.json";
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  if (HasFailure()) return;
  if (!tokenizer) GTEST_SKIP() << path << " is absent" << kFetch;
  ExpectIds(*tokenizer, name, *corpus);
}

// The same unigram model in both file kinds.
TEST(UnigramGguf, GivesTheIdsOfHuggingFace) {
  const auto corpus = ReadFile(kData / "corpus.bin");
  const auto json = ReadFile(kData / "vocabularies/kyoto_unigram/tokenizer.json");
  if (!corpus || !json) GTEST_SKIP() << "the corpus or the vocabulary is absent" << kFetch;
  const std::vector<std::byte> bytes = UnigramAsGguf(*json);
  const std::unique_ptr<Tokenizer> tokenizer = FromGguf(GgufFile::Parse(bytes, "unigram"));
  ASSERT_TRUE(tokenizer);
  ExpectIds(*tokenizer, "kyoto_unigram", *corpus);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, CorpusTest,
                         ::testing::Values("smollm2", "deepseek_v3", "gemma3", "gptoss",
                                           "kyoto_unigram", "llama2", "llama3_1", "mistral_nemo",
                                           "qwen3", "bert"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace switchyard::model
