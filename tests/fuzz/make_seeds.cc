// Writes small valid files for the fuzz targets to begin with: make_seeds FOLDER puts them into
// FOLDER/<target>/.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/gguf_writer.h"
#include "tests/support/tiny_model.h"

namespace {

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
  // run.sh works from the repository's root.
  for (const char* golden : {"llama3", "qwen2", "qwen3_moe", "gemma3", "gemma3_wrapped"}) {
    std::filesystem::copy_file(
        std::filesystem::path("tests/goldens/architectures") / golden / "config.json",
        folder / golden, std::filesystem::copy_options::overwrite_existing);
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
  PutJsonSeeds(folder / "json_fuzz");
  PutModelSeeds(folder / "model_config_fuzz");
}
