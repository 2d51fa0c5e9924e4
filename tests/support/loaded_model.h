// A tiny golden model with a tokenizer of single bytes, loaded on a chip that was built. Each load
// reads the model anew, so that loads may live on threads of their own.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "device/chip.h"
#include "device/device.h"
#include "engine/runner.h"
#include "model/model.h"

namespace switchyard::test_support {

// The bytes' letters in byte-level vocabularies (GPT-2's): printable ones stand for themselves, the
// others follow from U+0100 on.
inline std::string LetterOf(int byte) {
  const auto printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  int letter = byte;
  if (!printable(byte)) {
    letter = 256;
    for (int b = 0; b < byte; ++b) letter += printable(b) ? 0 : 1;
  }
  if (letter < 128) return std::string(1, static_cast<char>(letter));
  return {static_cast<char>(0xC0 | (letter >> 6)), static_cast<char>(0x80 | (letter & 0x3F))};
}

inline void FillModelFolder(const std::filesystem::path& folder) {
  std::filesystem::copy("tests/goldens/architectures/llama", folder);
  base::Json tokenizer{{"version", "1.0"},
                       {"added_tokens", base::Json::array()},
                       {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                       {"decoder", {{"type", "ByteLevel"}}},
                       {"model", {{"type", "BPE"}, {"vocab", base::Json::object()}}}};
  for (int byte = 0; byte < 256; ++byte) tokenizer["model"]["vocab"][LetterOf(byte)] = byte;
  tokenizer["model"]["merges"] = base::Json::array();
  std::ofstream(folder / "tokenizer.json") << tokenizer.dump();
}

inline const std::filesystem::path& ModelFolder() {
  static const base::TemporaryFolder folder;
  static const bool is_filled = (FillModelFolder(folder.path()), true);
  static_cast<void>(is_filled);
  return folder.path();
}

inline std::filesystem::path PluginOf(const std::string& chip) {
  return std::filesystem::path(SWITCHYARD_CHIP_DIR) / ("switchyard_chip_" + chip + ".so");
}

// A model on a chip. What is declared first is destroyed last.
struct Loaded {
  std::unique_ptr<device::Device> device;
  device::Queue queue;
  std::unique_ptr<device::Device> fallback;  // null: there is none
  device::Queue fallback_queue;
  std::unique_ptr<model::Model> model;
  std::unique_ptr<engine::Runner> runner;
};

enum class Fallback : std::uint8_t { kNone, kReference };

inline base::Result<std::unique_ptr<Loaded>> Load(
    const std::string& chip, const engine::RunnerOptions& options, std::uint32_t index = 0,
    std::vector<device::DeviceOption> device_options = {}, Fallback fallback = Fallback::kNone) {
  auto loaded = std::make_unique<Loaded>();
  SWITCHYARD_TRY(const device::Chip plugin, device::Chip::Load(PluginOf(chip)));
  SWITCHYARD_TRY(loaded->device, device::Device::Open(plugin, index, device_options));
  SWITCHYARD_TRY(loaded->queue, device::Queue::Create(*loaded->device));
  device::Target target{loaded->device.get(), &loaded->queue, nullptr, nullptr};
  if (fallback == Fallback::kReference) {
    SWITCHYARD_TRY(const device::Chip reference, device::Chip::Load(PluginOf("reference")));
    SWITCHYARD_TRY(loaded->fallback, device::Device::Open(reference, 0, {}));
    SWITCHYARD_TRY(loaded->fallback_queue, device::Queue::Create(*loaded->fallback));
    target.fallback = loaded->fallback.get();
    target.fallback_queue = &loaded->fallback_queue;
  }
  SWITCHYARD_TRY(loaded->model, model::Model::Load(ModelFolder()));
  SWITCHYARD_TRY(loaded->runner, engine::Runner::Create(*loaded->model, target, options));
  return loaded;
}

inline constexpr engine::RunnerOptions kSmall{
    .context_tokens = 48, .sequences = 3, .chunk_tokens = 32, .page_size = 16};

inline std::vector<model::TokenId> Text(std::int64_t count, int stride) {
  std::vector<model::TokenId> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<model::TokenId>((i * static_cast<std::size_t>(stride) + 17) % 190);
  }
  return tokens;
}

}  // namespace switchyard::test_support
