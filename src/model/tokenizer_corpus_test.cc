// Our tokenizers against Hugging Face's over a corpus of more than 5,000 texts: the expectations of
// tests/tokenizers/expected were written by make_expected.py there, which says what they hold. The
// corpus and the vocabularies are too large for the repository; get_vocabularies.sh fetches them.
#include <gtest/gtest.h>

#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "model/tokenizer.h"

namespace switchyard::model {
namespace {

const std::filesystem::path kData = "build/test_data";
constexpr std::string_view kFetch = "; run tests/tokenizers/get_vocabularies.sh to have it";

std::optional<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

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

class CorpusTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Null, after GTEST_SKIP, where the vocabulary is absent.
  static std::unique_ptr<Tokenizer> Load(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) return nullptr;
    if (path.extension() == ".gguf") {
      auto file = GgufFile::Open(path);
      EXPECT_TRUE(file) << file.error().message;
      if (!file) return nullptr;
      auto tokenizer = Tokenizer::FromGguf(*file);
      EXPECT_TRUE(tokenizer) << tokenizer.error().message;
      return tokenizer ? std::move(*tokenizer) : nullptr;
    }
    auto tokenizer = Tokenizer::FromHuggingFace(*ReadFile(path), "");
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    return tokenizer ? std::move(*tokenizer) : nullptr;
  }
};

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
  const auto file = ReadFile("tests/tokenizers/expected/" + name + ".txt");
  ASSERT_TRUE(file);
  const Expected expected = ParseExpected(*file);
  const std::vector<std::string> texts = SplitCorpus(*corpus);
  ASSERT_GE(texts.size(), 5000U);
  ASSERT_EQ(texts.size(), expected.texts.size()) << "the corpus is another one" << kFetch;

  std::size_t count = 0;
  int wrong = 0;
  int wrong_back = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer->Encode(texts[i], {.add_special = false, .parse_special = true});
    count += ids.size();
    if (HashOf(ids) != expected.texts[i].ids) {
      if (++wrong <= 8 && name != "bert") {
        std::ostringstream shown;
        for (std::size_t k = 0; k < ids.size() && k < 24; ++k) shown << ids[k] << ' ';
        ADD_FAILURE() << "text " << i << " '" << Printable(texts[i]) << "' gave " << shown.str();
      }
      continue;
    }
    const std::string decoded = tokenizer->Decode(ids, /*skip_special=*/false);
    const std::uint32_t hash = Fnv1a(decoded);
    if ((hash >> 16 ^ (hash & 0xFFFF)) != expected.texts[i].decoded && ++wrong_back <= 8) {
      ADD_FAILURE() << "text " << i << " '" << Printable(texts[i]) << "' came back as '"
                    << Printable(decoded) << "'";
    }
  }
  // Hugging Face asks a table of Unicode 8 what is punctuation to BERT, we ask Unicode 16: seven
  // texts hold characters that came, or became punctuation, between the two.
  const int younger = name == "bert" ? 7 : 0;
  EXPECT_EQ(wrong, younger) << "of " << texts.size() << " texts";
  EXPECT_EQ(wrong_back, 0);
  if (wrong == 0) {
    EXPECT_EQ(std::to_string(count), expected.header.at("ids"));
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, CorpusTest,
                         ::testing::Values("smollm2", "deepseek_v3", "gemma3", "gptoss", "llama2",
                                           "llama3_1", "mistral_nemo", "qwen3", "bert"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace switchyard::model
