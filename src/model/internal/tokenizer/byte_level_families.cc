#include "model/internal/tokenizer/byte_level_families.h"

#include <algorithm>
#include <array>

#include "model/internal/tokenizer/pre_tokenizer.h"

namespace switchyard::model::tokenization {
namespace {

using Strings = std::span<const std::string_view>;

// Alternatives that many families share, as their tokenizer.json files write them.
#define SWITCHYARD_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SWITCHYARD_WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SWITCHYARD_SYMBOLS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SWITCHYARD_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SWITCHYARD_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SWITCHYARD_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
// Words that end where lower case is followed by upper case, as in "camelCase".
#define SWITCHYARD_CASED_WORD(ending)                                       \
  "[^\\r\\n\\p{L}\\p{N}]?" SWITCHYARD_UPPER "*" SWITCHYARD_LOWER "+" ending \
  "|[^\\r\\n\\p{L}\\p{N}]?" SWITCHYARD_UPPER "+" SWITCHYARD_LOWER "*" ending
#define SWITCHYARD_CASED_SYMBOLS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define SWITCHYARD_MARKED_WORDS                                                    \
  "[!\"#$%&'()*+,\\-./"                                                            \
  ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" \
  "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SWITCHYARD_SPACES
#define SWITCHYARD_NOT_HAN "(?:(?!\\p{Han})"

constexpr std::array<std::string_view, 4> kDefault = {"[\\p{P}$+<=>^~|]+", kGpt2Pattern, "\\p{N}+",
                                                      "[0-9][0-9][0-9]"};
constexpr std::array<std::string_view, 1> kGpt2 = {kGpt2Pattern};
constexpr std::array<std::string_view, 2> kDigitsGpt2 = {"\\p{N}", kGpt2Pattern};
constexpr std::array<std::string_view, 1> kLlama3 = {
    SWITCHYARD_CONTRACTIONS "|" SWITCHYARD_WORD "|\\p{N}{1,3}|" SWITCHYARD_SYMBOLS
                            "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 1> kJais2 = {
    SWITCHYARD_CONTRACTIONS
    "|" SWITCHYARD_WORD "|\\p{N}{1,3}|" SWITCHYARD_SYMBOLS
    "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)"
    "|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"};
constexpr std::array<std::string_view, 1> kQwen2 = {
    SWITCHYARD_CONTRACTIONS "|" SWITCHYARD_WORD "|\\p{N}|" SWITCHYARD_SYMBOLS
                            "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 1> kQwen35 = {
    SWITCHYARD_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
    "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 2> kMiniCpm5 = {
    "\\p{N}{1,3}", SWITCHYARD_CONTRACTIONS "|" SWITCHYARD_WORD "|\\p{N}+|" SWITCHYARD_SYMBOLS
                                           "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 1> kGpt4o = {SWITCHYARD_CASED_WORD(
    SWITCHYARD_CONTRACTIONS "?") "|\\p{N}{1,3}|" SWITCHYARD_CASED_SYMBOLS "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 2> kTinyAya = {"\\d{1,3}(?=(?:\\d{3})*\\b)", kGpt4o[0]};
constexpr std::array<std::string_view, 1> kTekken = {
    SWITCHYARD_CASED_WORD("") "|\\p{N}|" SWITCHYARD_CASED_SYMBOLS "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 2> kYoutu = {
    "[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+"
    "|[!\\x{2026}\\x{201C}\\x{201D}\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}"
    "\\x{3001}-\\x{303F}\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+"
    "|[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    SWITCHYARD_CASED_WORD(SWITCHYARD_CONTRACTIONS "?") "|\\p{N}|" SWITCHYARD_CASED_SYMBOLS
                                                       "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 1> kKimi = {
    "\\p{Han}+"
    "|[^\\r\\n\\p{L}\\p{N}]?" SWITCHYARD_NOT_HAN SWITCHYARD_UPPER
    ")*" SWITCHYARD_NOT_HAN SWITCHYARD_LOWER ")+" SWITCHYARD_CONTRACTIONS
    "?"
    "|[^\\r\\n\\p{L}\\p{N}]?" SWITCHYARD_NOT_HAN SWITCHYARD_UPPER
    ")+" SWITCHYARD_NOT_HAN SWITCHYARD_LOWER ")*" SWITCHYARD_CONTRACTIONS
    "?"
    "|\\p{N}{1,3}|" SWITCHYARD_SYMBOLS "|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 6> kDeepSeekLlm = {
    "[\\r\\n]",
    "\\s?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}"
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}"
    "\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}"
    "\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}"
    "\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}"
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}"
    "\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}"
    "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}"
    "\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}"
    "\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}"
    "\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}"
    "\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}"
    "\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}"
    "\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}"
    "\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}"
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
    "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}]+",
    "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+",
    "\\s+$",
    "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+",
    "\\p{N}+"};
constexpr std::array<std::string_view, 5> kDeepSeekCoder = {
    "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
    "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+", "\\p{N}"};
constexpr std::array<std::string_view, 3> kDeepSeekV3 = {
    "\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    SWITCHYARD_MARKED_WORDS};
constexpr std::array<std::string_view, 3> kFalcon = {"[\\p{P}$+<=>^~|`]+", kGpt2Pattern,
                                                     "[0-9][0-9][0-9]"};
constexpr std::string_view kBloomWords =
    " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+";
constexpr std::array<std::string_view, 1> kBloom = {kBloomWords};
constexpr std::array<std::string_view, 2> kViking = {kBloomWords, "\\p{N}"};
constexpr std::array<std::string_view, 2> kSuperBpe = {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"};
constexpr std::array<std::string_view, 1> kBailing = {
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
    "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"};
constexpr std::array<std::string_view, 1> kSeedCoder = {
    SWITCHYARD_CONTRACTIONS "|" SWITCHYARD_WORD
                            "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SWITCHYARD_SPACES};
constexpr std::array<std::string_view, 1> kExaoneMoe = {
    SWITCHYARD_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"};

#undef SWITCHYARD_CONTRACTIONS
#undef SWITCHYARD_WORD
#undef SWITCHYARD_SYMBOLS
#undef SWITCHYARD_SPACES
#undef SWITCHYARD_UPPER
#undef SWITCHYARD_LOWER
#undef SWITCHYARD_CASED_WORD
#undef SWITCHYARD_CASED_SYMBOLS
#undef SWITCHYARD_MARKED_WORDS
#undef SWITCHYARD_NOT_HAN

constexpr auto kDefaultNames = std::to_array<std::string_view>({"default"});
constexpr auto kGpt2Names = std::to_array<std::string_view>(
    {"gpt-2", "mpt", "phi-2", "olmo", "jais", "exaone4", "trillion", "granite-docling", "gigachat",
     "a.x-4.0", "mellum", "modern-bert", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de",
     "jina-v1-en", "jina-v2-code", "roberta-bpe"});
constexpr auto kDigitsGpt2Names = std::to_array<std::string_view>(
    {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"});
constexpr auto kLlama3Names =
    std::to_array<std::string_view>({"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1",
                                     "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"});
constexpr auto kLlama3LikeNames =
    std::to_array<std::string_view>({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"});
constexpr auto kJais2Names = std::to_array<std::string_view>({"jais-2"});
constexpr auto kQwen2Names =
    std::to_array<std::string_view>({"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"});
constexpr auto kQwen2LikeNames =
    std::to_array<std::string_view>({"stablelm2", "hunyuan", "solar-open", "grok-2"});
constexpr auto kQwen35Names = std::to_array<std::string_view>({"qwen35"});
constexpr auto kMiniCpm5Names = std::to_array<std::string_view>({"minicpm5"});
constexpr auto kGpt4oNames =
    std::to_array<std::string_view>({"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"});
constexpr auto kTinyAyaNames = std::to_array<std::string_view>({"tiny_aya", "cohere2moe"});
constexpr auto kTekkenNames = std::to_array<std::string_view>({"tekken"});
constexpr auto kYoutuNames = std::to_array<std::string_view>({"youtu"});
constexpr auto kKimiNames = std::to_array<std::string_view>({"kimi-k2"});
constexpr auto kDeepSeekLlmNames = std::to_array<std::string_view>({"deepseek-llm"});
constexpr auto kDeepSeekCoderNames = std::to_array<std::string_view>({"deepseek-coder"});
constexpr auto kDeepSeekV3Names =
    std::to_array<std::string_view>({"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"});
constexpr auto kFalconNames = std::to_array<std::string_view>({"falcon"});
constexpr auto kBloomNames =
    std::to_array<std::string_view>({"bloom", "poro-chat", "gpt3-finnish"});
constexpr auto kVikingNames = std::to_array<std::string_view>({"viking"});
constexpr auto kSuperBpeNames = std::to_array<std::string_view>({"superbpe"});
constexpr auto kBailingNames =
    std::to_array<std::string_view>({"bailingmoe", "bailingmoe2", "llada-moe"});
constexpr auto kSeedCoderNames = std::to_array<std::string_view>({"seed-coder"});
constexpr auto kExaoneMoeNames = std::to_array<std::string_view>({"exaone-moe"});

// The names are llama.cpp's, whose converter writes them; the patterns are those of the families'
// own tokenizer.json files.
constexpr auto kFamilies = std::to_array<ByteLevelFamily>({
    {.names = kDefaultNames, .patterns = kDefault},
    {.names = kGpt2Names, .patterns = kGpt2},
    {.names = kDigitsGpt2Names, .patterns = kDigitsGpt2},
    {.names = kLlama3Names, .patterns = kLlama3, .ignore_merges = true, .adds_bos = true},
    {.names = kLlama3LikeNames, .patterns = kLlama3},
    {.names = kJais2Names, .patterns = kJais2},
    {.names = kQwen2Names, .patterns = kQwen2, .composes = true},
    {.names = kQwen2LikeNames, .patterns = kQwen2},
    {.names = kQwen35Names, .patterns = kQwen35},
    {.names = kMiniCpm5Names, .patterns = kMiniCpm5, .ignore_merges = true},
    {.names = kGpt4oNames, .patterns = kGpt4o},
    {.names = kTinyAyaNames, .patterns = kTinyAya},
    {.names = kTekkenNames, .patterns = kTekken, .ignore_merges = true, .adds_bos = true},
    {.names = kYoutuNames, .patterns = kYoutu, .ignore_merges = true},
    {.names = kKimiNames, .patterns = kKimi},
    {.names = kDeepSeekLlmNames, .patterns = kDeepSeekLlm},
    {.names = kDeepSeekCoderNames, .patterns = kDeepSeekCoder},
    {.names = kDeepSeekV3Names, .patterns = kDeepSeekV3},
    {.names = kFalconNames, .patterns = kFalcon},
    {.names = kBloomNames, .patterns = kBloom},
    {.names = kVikingNames, .patterns = kViking},
    {.names = kSuperBpeNames, .patterns = kSuperBpe},
    {.names = kBailingNames, .patterns = kBailing},
    {.names = kSeedCoderNames, .patterns = kSeedCoder},
    {.names = kExaoneMoeNames, .patterns = kExaoneMoe},
});

}  // namespace

const ByteLevelFamily* FindByteLevelFamily(std::string_view name) {
  const auto found = std::ranges::find_if(kFamilies, [name](const ByteLevelFamily& family) {
    return std::ranges::find(family.names, name) != family.names.end();
  });
  return found == kFamilies.end() ? nullptr : &*found;
}

}  // namespace switchyard::model::tokenization
