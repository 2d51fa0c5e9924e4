// Writes small valid files for the fuzz targets to begin with: make_seeds FOLDER puts them into
// FOLDER/<target>/. Run from the repository's root, whose test cases become seeds too.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "certify/certificate_json.h"
#include "certify/signed_certificate.h"
#include "engine/kv_pages.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/sample_certificate.h"
#include "tests/support/tiny_model.h"

namespace {

using switchyard::base::Json;
using switchyard::tensor::DType;
using switchyard::test_support::GgufWriter;

void Put(const std::filesystem::path& folder, std::string_view name, std::string_view text) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << text;
}

void PutGguf(const std::filesystem::path& folder, std::string_view name, const GgufWriter& writer) {
  const auto bytes = writer.Bytes();
  Put(folder, name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void PutGgufSeeds(const std::filesystem::path& folder) {
  GgufWriter values;
  values.Set("general.architecture", "llama");
  values.Set("u8", std::uint8_t{1});
  values.Set("i8", std::int8_t{-1});
  values.Set("u16", std::uint16_t{2});
  values.Set("i16", std::int16_t{-2});
  values.Set("u32", std::uint32_t{3});
  values.Set("i32", std::int32_t{-3});
  values.Set("u64", std::uint64_t{4});
  values.Set("i64", std::int64_t{-4});
  values.Set("f32", 0.5F);
  values.Set("f64", 0.25);
  values.Set("bool", true);
  values.SetArray("tokens", std::vector<std::string>{"<s>", "a", ""});
  values.SetArray("scores", std::vector<float>{0.0F, -1.0F});
  values.SetArray("types", std::vector<std::int32_t>{1, 3});
  values.SetArray("flags", std::vector<bool>{true, false});
  PutGguf(folder, "values", values);

  GgufWriter tensors;
  tensors.SetAlignment(64);
  tensors.AddTensor("norm", DType::kF32, {4}, std::vector<std::byte>(16));
  tensors.AddTensor("linear", DType::kQ4_0, {2, 32}, std::vector<std::byte>(36));
  tensors.AddTensor("experts", DType::kF16, {2, 1, 2}, std::vector<std::byte>(8));
  tensors.AddTensor("super", DType::kQ4_K, {1, 256}, std::vector<std::byte>(144));
  PutGguf(folder, "tensors", tensors);

  GgufWriter old;
  old.set_version(2);
  old.AddTensor("t", DType::kBF16, {1, 1, 1, 2}, std::vector<std::byte>(4));
  PutGguf(folder, "version2", old);
}

void PutKvPagesSeeds(const std::filesystem::path& folder) {
  switchyard::engine::KvPagesHead head;
  head.model = std::string(64, '0');
  head.shape.layers = {{2, 4, 4}, {1, 2, 3}};
  head.shape.page_size = 2;
  head.shape.pages = 2;
  head.tokens = {1, 2, 3, 4, 5, 6};
  switchyard::engine::KvPagesWriter writer(head);
  writer.NextPage();
  writer.NextPage();
  const std::string whole = writer.Finish();
  Put(folder, "whole", whole);
  // The target adds the checksum.
  Put(folder, "unsealed", whole.substr(0, whole.size() - 32));
}

void PutSafetensorsSeeds(const std::filesystem::path& folder) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}})";
  const std::uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof(length));
  Put(folder, "two", text + header + std::string(10, '\1'));
  Put(folder, "index",
      R"({"metadata":{"total_size":10},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
}

void PutJsonSeeds(const std::filesystem::path& folder) {
  Put(folder, "values",
      R"({"a":[1,-2,3.5e10,18446744073709551615,true,false,null],"b":{"c":"\u00e9\ud83d\ude00\n"}})");
  Put(folder, "text", "\"caf\xc3\xa9\"");
  Put(folder, "nested", std::string(20, '[') + std::string(20, ']'));
}

void PutModelSeeds(const std::filesystem::path& folder) {
  using switchyard::test_support::TinyModel;
  for (const auto& [name, model] :
       {std::pair("llama", TinyModel::Llama()), std::pair("mixture", TinyModel::Mixture())}) {
    const auto bytes = model.Bytes();
    Put(folder, name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  for (const char* golden : {"llama3", "qwen2", "qwen3_moe", "gemma3", "gemma3_wrapped"}) {
    std::filesystem::copy_file(
        std::filesystem::path("tests/goldens/architectures") / golden / "config.json",
        folder / golden, std::filesystem::copy_options::overwrite_existing);
  }
}

Json ReadJson(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto json = switchyard::base::ParseJson(text, path.string(), {.depth = 64, .keys = 1'000'000});
  return json ? std::move(*json) : Json();
}

// The first `size` elements; a seed of a few hundred bytes is mutated where it matters.
void Shorten(Json* list, std::size_t size) {
  while (list->size() > size) list->erase(std::prev(list->end()));
}

// The tests' tiny tokenizers with fewer tokens and those merges that these leave possible.
void PutTokenizerSeeds(const std::filesystem::path& json_folder,
                       const std::filesystem::path& text_folder) {
  for (const auto& entry : std::filesystem::directory_iterator("tests/tokenizers/tiny")) {
    const std::string name = entry.path().stem().string();
    Json json = ReadJson(entry.path());
    if (name.ends_with(".cases")) {
      if (name != "byte_level.cases") continue;  // all have the same texts
      for (std::size_t i = 0; i < json.size(); ++i) {
        Put(text_folder, std::to_string(i), json[i]["text"].get<std::string>());
      }
      continue;
    }
    Json& model = json["model"];
    Json& vocabulary = model["vocab"];
    const std::string type = model["type"].get<std::string>();
    if (type == "BPE") {
      Json kept = Json::array();
      Json tokens = Json::object();
      int next = 0;
      const auto keep = [&](const std::string& token) {
        if (!tokens.contains(token)) tokens[token] = next++;
      };
      for (const Json& merge : model["merges"]) {
        if (kept.size() == 8) break;
        const std::string left = merge[0].get<std::string>();
        const std::string right = merge[1].get<std::string>();
        keep(left);
        keep(right);
        std::string_view tail = right;
        if (tail.starts_with("##")) tail.remove_prefix(2);
        keep(left + std::string(tail));
        kept.push_back(merge);
      }
      vocabulary = tokens;
      model["merges"] = kept;
    } else {
      Shorten(&vocabulary, 24);
    }
    Put(json_folder, name, json.dump());
  }
}

void PutGgufTokenizer(const std::filesystem::path& folder, const std::string& model,
                      const std::string& family, const std::vector<std::string>& tokens,
                      const std::vector<std::int32_t>& types,
                      const std::vector<std::string>& merges,
                      const std::vector<std::uint8_t>& character_map) {
  GgufWriter writer;
  writer.Set("tokenizer.ggml.model", model);
  writer.Set("tokenizer.ggml.pre", family);
  writer.SetArray("tokenizer.ggml.tokens", tokens);
  writer.SetArray("tokenizer.ggml.token_type", types);
  std::vector<float> scores;
  for (std::size_t i = 0; i < tokens.size(); ++i) scores.push_back(-static_cast<float>(i));
  if (merges.empty()) writer.SetArray("tokenizer.ggml.scores", scores);
  if (!merges.empty()) writer.SetArray("tokenizer.ggml.merges", merges);
  if (!character_map.empty()) {
    writer.SetArray("tokenizer.ggml.precompiled_charsmap", character_map);
    writer.Set("tokenizer.ggml.remove_extra_whitespaces", true);
  }
  writer.Set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.Set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  writer.Set("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  writer.Set("tokenizer.ggml.add_bos_token", true);
  writer.Set("tokenizer.ggml.add_eos_token", false);
  writer.Set("tokenizer.ggml.add_space_prefix", true);
  PutGguf(folder, model + "_" + family, writer);
}

void PutGgufTokenizerSeeds(const std::filesystem::path& folder) {
  const std::vector<std::int32_t> types = {2, 3, 3, 1, 1, 1, 1, 4, 6};
  const std::vector<std::string> names = {"<unk>", "<s>",     "</s>",  "A",     "b",
                                          "Ab",    "\u2581A", "<one>", "<0x31>"};
  PutGgufTokenizer(folder, "llama", "default", names, types, {}, {});
  PutGgufTokenizer(folder, "gemma4", "gemma4", names, types, {"A b"}, {});
  for (const char* family : {"default", "llama-bpe", "qwen2", "deepseek-v3", "gpt-4o"}) {
    PutGgufTokenizer(folder, "gpt2", family, names, types, {"A b"}, {});
  }
  PutGgufTokenizer(folder, "bert", "jina-v2-en",
                   {"[UNK]", "[CLS]", "[SEP]", "\u2581ab", "c", "1", "\u25811", "!", "[MASK]"},
                   types, {}, {});
  // A trie of four units, of which the first leads nowhere, and one replacement.
  PutGgufTokenizer(folder, "t5", "default", names, types, {},
                   {16, 0, 0, 0, 0, 4, 0, 0, 65, 4, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 'a', 0});
}

// Our own templates of the Jinja dialect, each with the context that it adds to the shared one.
void PutTemplateSeeds(const std::filesystem::path& folder) {
  std::ifstream file("tests/chat_templates/dialect.jsonl", std::ios::binary);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const auto json = switchyard::base::ParseJson(line, "dialect.jsonl");
    if (!json || !json->contains("template")) continue;
    std::string seed = (*json)["template"].get<std::string>();
    if (json->contains("context")) seed.append(1, '\0').append((*json)["context"].dump());
    Put(folder, std::to_string(++number), seed);
  }
}

// With one element in each list: short enough to be mutated where it matters.
void PutCertificateSeeds(const std::filesystem::path& folder) {
  using namespace switchyard::certify;
  Certificate certificate = SampleRefusal();
  certificate.divergences.resize(1);
  certificate.divergences[0].kl_quantiles.resize(2);
  certificate.greedy.resize(1);
  certificate.drift.resize(1);
  certificate.operations.resize(1);
  certificate.excesses.resize(1);
  certificate.efficiency.phases.resize(1);
  certificate.efficiency.costs.resize(1);
  certificate.verdict.checks.resize(1);
  Put(folder, "alone", ToJson(certificate).dump());
  if (const auto key = PrivateKey::FromSeed(std::string(32, 'k'))) {
    Put(folder, "signed", WriteSigned(certificate, *key));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 1;
  }
  const std::filesystem::path folder = arguments[1];
  PutGgufSeeds(folder / "gguf_fuzz");
  PutSafetensorsSeeds(folder / "safetensors_fuzz");
  PutKvPagesSeeds(folder / "kv_pages_fuzz");
  PutJsonSeeds(folder / "json_fuzz");
  PutModelSeeds(folder / "model_config_fuzz");
  PutTokenizerSeeds(folder / "tokenizer_json_fuzz", folder / "tokenizer_text_fuzz");
  PutGgufTokenizerSeeds(folder / "tokenizer_gguf_fuzz");
  PutTemplateSeeds(folder / "chat_template_fuzz");
  PutCertificateSeeds(folder / "certificate_fuzz");
}
