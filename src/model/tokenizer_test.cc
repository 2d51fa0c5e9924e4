// Tokenizers against expectations that need no download: tiny vocabularies, trained and run by
// Hugging Face's `tokenizers` (tests/tokenizers/make_tiny.py), metadata and files written by hand,
// and properties that hold for any text.
#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/internal/unicode/utf8.h"
#include "tests/support/gguf_writer.h"

namespace switchyard::model {
namespace {

using test_support::GgufWriter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string GoldenText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::unique_ptr<Tokenizer> LoadTiny(const std::string& name) {
  auto tokenizer =
      Tokenizer::FromHuggingFace(GoldenText("tests/tokenizers/tiny/" + name + ".json"), "");
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

std::string Stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special) {
  TokenStream stream(tokenizer, skip_special);
  std::string text;
  for (const TokenId id : ids) {
    const std::string part = stream.Push(id);
    EXPECT_TRUE(unicode::IsValidUtf8(part));
    text += part;
  }
  return text + stream.Finish();
}

class TinyTokenizerTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TinyTokenizerTest, AgreesWithHuggingFace) {
  const auto tokenizer = LoadTiny(GetParam());
  ASSERT_TRUE(tokenizer);
  const auto cases =
      base::ParseJson(GoldenText("tests/tokenizers/tiny/" + GetParam() + ".cases.json"), "cases");
  ASSERT_TRUE(cases);
  ASSERT_GT(cases->size(), 50U);
  for (const auto& expected : *cases) {
    const auto text = expected["text"].get<std::string>();
    const auto ids = expected["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->Encode(text, {.add_special = true, .parse_special = true}).value(), ids)
        << "'" << text << "'";
    EXPECT_EQ(tokenizer->Encode(text, {.add_special = false, .parse_special = false}).value(),
              expected["plain_ids"].get<std::vector<TokenId>>())
        << "'" << text << "'";
    const auto decoded = expected["decoded"].get<std::string>();
    EXPECT_EQ(tokenizer->Decode(ids, /*skip_special=*/true), decoded);
    EXPECT_EQ(tokenizer->Decode(ids, /*skip_special=*/false),
              expected["decoded_special"].get<std::string>());
    EXPECT_EQ(Stream(*tokenizer, ids, true), decoded);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TinyTokenizerTest,
                         ::testing::Values("byte_level", "split_byte_level", "metaspace_bpe",
                                           "prepended_bpe", "unigram", "unigram_bytes", "wordpiece",
                                           "cased_wordpiece", "affixed_bpe", "splits",
                                           "inverted_splits", "normalizers",
                                           "compatible_normalizers"),
                         [](const auto& instance) { return instance.param; });

// Text of characters of all lengths in UTF-8, often from the same few so that merges happen.
std::string ArbitraryText() {
  const auto points = *rc::gen::container<std::vector<char32_t>>(rc::gen::oneOf(
      rc::gen::inRange<char32_t>(0x20, 0x7F), rc::gen::element<char32_t>(U' ', U'e', U'\n', U'é'),
      rc::gen::inRange<char32_t>(0, 0x800), rc::gen::inRange<char32_t>(0x800, 0xD800),
      rc::gen::inRange<char32_t>(0xE000, 0x110000)));
  std::string text;
  for (const char32_t point : points) unicode::AppendUtf8(point, &text);
  return text;
}

TEST(Tokenizer, ByteLevelGivesEveryTextBack) {
  const auto tokenizer = LoadTiny("byte_level");
  ASSERT_TRUE(rc::check([&] {
    const std::string text = ArbitraryText();
    // It puts a space before a text that has none.
    const std::string expected = text.empty() || text.starts_with(' ') ? text : " " + text;
    const auto ids = tokenizer->Encode(text, {.add_special = false}).value();
    RC_ASSERT(tokenizer->Decode(ids, /*skip_special=*/false) == expected);
  }));
}

TEST(Tokenizer, SentencePieceWithBytesGivesEveryTextBack) {
  const auto tokenizer = LoadTiny("unigram_bytes");
  ASSERT_TRUE(rc::check([&] {
    const std::string text = ArbitraryText();
    RC_PRE(text.find("\xE2\x96\x81") == std::string::npos);  // stands for a space
    RC_ASSERT(tokenizer->Decode(tokenizer->Encode(text, {.add_special = false}).value(), false) ==
              text);
  }));
}

TEST(Tokenizer, StreamsWhatDecodeGives) {
  for (const char* name : {"byte_level", "metaspace_bpe", "unigram_bytes", "wordpiece"}) {
    const auto tokenizer = LoadTiny(name);
    ASSERT_TRUE(rc::check([&] {
      // Any ids, also outside the vocabulary: bytes then break off in the middle of characters.
      const auto ids = *rc::gen::container<std::vector<TokenId>>(
          rc::gen::inRange<TokenId>(-2, tokenizer->vocabulary_size() + 2));
      const bool skip_special = *rc::gen::arbitrary<bool>();
      TokenStream stream(*tokenizer, skip_special);
      std::string text;
      for (const TokenId id : ids) {
        const std::string part = stream.Push(id);
        RC_ASSERT(unicode::IsValidUtf8(part));
        text += part;
      }
      text += stream.Finish();
      RC_ASSERT(text == tokenizer->Decode(ids, skip_special));
    }));
  }
}

TEST(Tokenizer, TakesBrokenUtf8AsReplacementCharacters) {
  const auto tokenizer = LoadTiny("byte_level");
  // The first byte begins a character that the second can't continue; the last one is cut off.
  EXPECT_EQ(tokenizer->Encode("a\xC3(\xE2\x82", {}).value(),
            tokenizer->Encode("a\xEF\xBF\xBD(\xEF\xBF\xBD", {}).value());
}

TEST(TokenStream, HoldsBackAnUnfinishedCharacter) {
  const auto tokenizer = LoadTiny("metaspace_bpe");
  const TokenId first = *tokenizer->Find("<0xF0>");
  TokenStream stream(*tokenizer);
  EXPECT_EQ(stream.Push(first), "");
  EXPECT_EQ(stream.Push(*tokenizer->Find("<0x9F>")), "");
  EXPECT_EQ(stream.Push(*tokenizer->Find("<0x98>")), "");
  EXPECT_EQ(stream.Push(*tokenizer->Find("<0x80>")), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stream.Push(first), "");
  EXPECT_EQ(stream.Finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(TokenStream, KeepsTheSpaceOfALaterWord) {
  const auto tokenizer = LoadTiny("metaspace_bpe");
  const TokenId space = *tokenizer->Find("\xE2\x96\x81");
  EXPECT_EQ(TokenStream(*tokenizer).Push(space), "");
  EXPECT_EQ(TokenStream(*tokenizer, true, /*at_start=*/false).Push(space), " ");
}

constexpr std::string_view kLetters = R"({"added_tokens": [
  {"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "<|im_end|>", "special": true},
  {"id": 5, "content": "<|endoftext|>", "special": true}],
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

TEST(HuggingFaceTokenizer, FollowsTheConfig) {
  auto tokenizer = Tokenizer::FromHuggingFace(
      kLetters, R"({"bos_token": {"content": "<s>"}, "eos_token": "<|im_end|>",
                    "add_bos_token": true, "add_eos_token": true})");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->bos(), 3);
  EXPECT_EQ((*tokenizer)->eos(), 4);
  EXPECT_TRUE((*tokenizer)->adds_bos());
  EXPECT_THAT((*tokenizer)->end_tokens(), ElementsAre(4, 5));
  EXPECT_THAT((*tokenizer)->Encode("abba", {}).value(), ElementsAre(3, 2, 1, 0, 4));
  EXPECT_THAT((*tokenizer)->Encode("<s>ab", {.add_special = false, .parse_special = true}).value(),
              ElementsAre(3, 2));
  EXPECT_TRUE((*tokenizer)->IsSpecial(5));
  EXPECT_FALSE((*tokenizer)->IsSpecial(2));
  EXPECT_FALSE((*tokenizer)->IsSpecial(-1));
  EXPECT_EQ((*tokenizer)->TokenBytes(99, false), "");
}

// The message of the refusal, or "" if the file was accepted.
std::string TokenizerRefusal(std::string_view tokenizer_json, std::string_view config = "") {
  auto tokenizer = Tokenizer::FromHuggingFace(tokenizer_json, config);
  return tokenizer ? "" : tokenizer.error().message;
}

std::string WithModel(const std::string& model, const std::string& rest = "") {
  return R"({"model": )" + model + rest + "}";
}

TEST(HuggingFaceTokenizer, RefusesHostileFilesInASentence) {
  const std::string letters = R"({"type": "BPE", "vocab": {"a": 0}, "merges": []})";
  EXPECT_EQ(TokenizerRefusal(WithModel(letters)), "");
  EXPECT_THAT(TokenizerRefusal("{"), HasSubstr("not valid JSON at byte 2"));
  EXPECT_THAT(TokenizerRefusal("{"), HasSubstr("fetch it again"));
  EXPECT_THAT(TokenizerRefusal("[]"), HasSubstr("'model' is missing"));
  EXPECT_THAT(TokenizerRefusal(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(TokenizerRefusal(WithModel(R"({"type": "WordLevel", "vocab": {"a": 0}})")),
              HasSubstr("'WordLevel' are not supported"));
  EXPECT_THAT(TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": -5}, "merges": []})")),
              HasSubstr("id -5 is outside"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 9999999999}, "merges": []})")),
      HasSubstr("id 9999999999 is outside"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 18446744073709551615}})")),
      HasSubstr("too large"));
  EXPECT_THAT(TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": "x"}, "merges": []})")),
              HasSubstr("not a number"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []})")),
      HasSubstr("id 0 has two tokens, 'a' and 'b'"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []})")),
      HasSubstr("'a' has two ids"));
  EXPECT_THAT(TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]})")),
              HasSubstr("pairs of tokens"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", 1]]})")),
      HasSubstr("pairs of tokens"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a z"]})")),
      HasSubstr("'z' is not in the vocabulary"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]})")),
      HasSubstr("makes 'aa', which is not in the vocabulary"));
  EXPECT_THAT(TokenizerRefusal(WithModel(R"({"type": "Unigram", "vocab": [["a"]], "unk_id": 0})")),
              HasSubstr("pairs of a token and its score"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(R"({"type": "Unigram", "vocab": [["a", -1]], "unk_id": 7})")),
      HasSubstr("unk_id 7 is not in the vocabulary of 1"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters, R"(, "pre_tokenizer": {"type": "Split",
                  "pattern": {"Regex": "(a"}, "behavior": "Isolated"})")),
              HasSubstr("pre_tokenizer: Split: the regular expression '(a' is not valid"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters, R"(, "pre_tokenizer": {"type": "Split",
                  "pattern": {"Regex": "[a&&[b]]"}, "behavior": "Isolated"})")),
              HasSubstr("not supported"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(letters, R"(, "pre_tokenizer": {"type": "UnicodeScripts"})")),
      HasSubstr("UnicodeScripts: this kind of pre-tokenizer is not supported"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters, R"(, "decoder": {"type": "CTC"})")),
              HasSubstr("CTC: this kind of decoder is not supported"));
  const std::string longer = R"({"type": "Replace", "pattern": {"String": "a"}, "content": ")" +
                             std::string(200, 'a') + R"("})";
  EXPECT_THAT(TokenizerRefusal(
                  WithModel(letters, R"(, "normalizer": {"type": "Sequence", "normalizers": [)" +
                                         longer + ", " + longer + "]}")),
              HasSubstr("1024 times as long"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(letters, R"(, "decoder": {"type": "Sequence", "decoders": [)" +
                                              longer + ", " + longer + "]}")),
      HasSubstr("1024 times as long"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters, R"(, "pre_tokenizer": {"type": "Metaspace",
                  "replacement": "  "})")),
              HasSubstr("nor hold a space"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters, R"(, "normalizer": {"type": "Precompiled",
                  "precompiled_charsmap": "/////wAA"})")),
              HasSubstr("the precompiled character map's trie has 4294967295 bytes"));
  EXPECT_THAT(
      TokenizerRefusal(WithModel(letters, R"(, "post_processor": {"type": "TemplateProcessing",
                  "single": [{"SpecialToken": {"id": "<s>"}}],
                  "special_tokens": {"<s>": {"ids": [77]}}})")),
      HasSubstr("the id 77 is not in the vocabulary"));
  EXPECT_THAT(TokenizerRefusal(WithModel(letters), R"({"add_bos_token": )"),
              HasSubstr("not valid JSON"));
}

std::string WithRegex(const std::string& step, const std::string& pattern) {
  return R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, )" + step +
         R"("pattern": {"Regex": ")" + pattern + R"("}, "behavior": "Isolated", "content": "b"}})";
}

// A pattern that backtracks without end must not tokenise the text in another way.
TEST(HuggingFaceTokenizer, FailsWherePatternsTakeTooManySteps) {
  for (const std::string step :
       {R"("pre_tokenizer": {"type": "Split", )", R"("normalizer": {"type": "Replace", )"}) {
    auto tokenizer = Tokenizer::FromHuggingFace(WithRegex(step, "(a+)+$"), "");
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const auto ids = (*tokenizer)->Encode(std::string(64, 'a') + "b", {});
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, base::ErrorCode::kInvalidArgument);
    EXPECT_THAT(ids.error().message,
                AllOf(HasSubstr("pattern '(a+)+$' fails"), HasSubstr("match limit exceeded")));
    EXPECT_TRUE((*tokenizer)->Encode(std::string(64, 'a'), {}));
  }
}

// A megabyte of one letter is one piece, on which merging must not take quadratic time.
TEST(HuggingFaceTokenizer, MergesAMegabyteOfOneLetter) {
  auto tokenizer = Tokenizer::FromHuggingFace(
      R"({"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1, "aaaa": 2},
          "merges": [["a", "a"], ["aa", "aa"]]}})",
      "");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto ids = (*tokenizer)->Encode(std::string((1 << 20) + 3, 'a'), {}).value();
  ASSERT_EQ(ids.size(), (1U << 18) + 2);
  EXPECT_EQ(ids[0], 2);
  EXPECT_EQ(ids[ids.size() - 2], 1);
  EXPECT_EQ(ids.back(), 0);
}

base::Result<std::unique_ptr<Tokenizer>> LoadGguf(const GgufWriter& writer) {
  const std::vector<std::byte> bytes = writer.Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  EXPECT_TRUE(file) << file.error().message;
  return Tokenizer::FromGguf(*file);
}

GgufWriter Metadata(std::string_view model, const std::vector<std::string>& tokens) {
  GgufWriter writer;
  writer.Set("tokenizer.ggml.model", model);
  writer.SetArray("tokenizer.ggml.tokens", tokens);
  return writer;
}

TEST(GgufTokenizer, MergesByScoreAndFallsBackToBytes) {
  // By hand: "▁ab" begins as ▁, a, b; "ab" has the better score, then "▁ab" is a token. "é" has
  // none, so its two bytes stand for it. "c" has neither and is unknown.
  GgufWriter writer =
      Metadata("llama", {"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "\xE2\x96\x81", "a", "b",
                         "\xE2\x96\x81"
                         "a",
                         "ab",
                         "\xE2\x96\x81"
                         "ab"});
  writer.SetArray("tokenizer.ggml.scores",
                  std::vector<float>{0, 0, 0, 0, 0, -9, -8, -8, -5, -4, -6});
  writer.SetArray("tokenizer.ggml.token_type",
                  std::vector<std::int32_t>{2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1});
  writer.Set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.Set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  writer.Set("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  auto tokenizer = LoadGguf(writer);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->Encode("ab a\xC3\xA9", {}).value(), ElementsAre(1, 10, 8, 3, 4));
  EXPECT_THAT((*tokenizer)->Encode("c", {.add_special = false}).value(), ElementsAre(5, 0));
  EXPECT_THAT((*tokenizer)->Encode("", {.add_special = false}).value(), IsEmpty());
  EXPECT_THAT((*tokenizer)->Encode("a</s>b", {.add_special = false, .parse_special = true}).value(),
              ElementsAre(8, 2, 5, 7));
  EXPECT_EQ((*tokenizer)->Decode((*tokenizer)->Encode("ab a\xC3\xA9", {}).value(), true),
            "ab a\xC3\xA9");
  EXPECT_TRUE((*tokenizer)->adds_bos());
  EXPECT_THAT((*tokenizer)->end_tokens(), ElementsAre(2));
}

TEST(GgufTokenizer, KnowsTokensThatEndAnAnswer) {
  GgufWriter writer = Metadata("gpt2", {"a", "<|im_end|>", "<|endoftext|>", "</s>"});
  writer.Set("tokenizer.ggml.pre", "qwen2");
  writer.SetArray("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 3, 3, 1});
  writer.SetArray("tokenizer.ggml.merges", std::vector<std::string>{});
  writer.Set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  auto tokenizer = LoadGguf(writer);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->end_tokens(), ElementsAre(2, 1));
  EXPECT_FALSE((*tokenizer)->adds_bos());
}

TEST(GgufTokenizer, RefusesWhatItDoesNotKnow) {
  const auto refusal = [](const GgufWriter& writer) {
    auto tokenizer = LoadGguf(writer);
    return tokenizer ? std::string() : tokenizer.error().message;
  };
  EXPECT_THAT(refusal(Metadata("rwkv", {"a"})), HasSubstr("tokenizer.ggml.model is 'rwkv'"));
  GgufWriter unknown = Metadata("gpt2", {"a"});
  unknown.Set("tokenizer.ggml.pre", "of-tomorrow");
  EXPECT_THAT(refusal(unknown), HasSubstr("tokenizer.ggml.pre is 'of-tomorrow'"));
  GgufWriter short_types = Metadata("gpt2", {"a", "b"});
  short_types.SetArray("tokenizer.ggml.token_type", std::vector<std::int32_t>{1});
  EXPECT_THAT(refusal(short_types), HasSubstr("has 1 entries, but tokenizer.ggml.tokens has 2"));
  GgufWriter merges = Metadata("gpt2", {"a"});
  merges.SetArray("tokenizer.ggml.merges", std::vector<std::string>{"a a"});
  EXPECT_THAT(refusal(merges), HasSubstr("merge 0 makes 'aa'"));
  EXPECT_THAT(refusal(Metadata("llama", {"a"})), HasSubstr("tokenizer.ggml.scores is missing"));
  EXPECT_THAT(refusal(Metadata("gpt2", {"a", "a"})), HasSubstr("'a' has two ids, 0 and 1"));
  EXPECT_THAT(refusal(Metadata("gpt2", {"\xFF"})), HasSubstr("token 0 is not valid UTF-8"));
}

}  // namespace
}  // namespace switchyard::model
