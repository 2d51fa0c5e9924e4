// A model on a chip, as run, bench and others begin: the name resolved and fetched, the file
// opened, the chip opened, the runner made, and the load report told to the user. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/ceilings.h"
#include "cli/command_line.h"
#include "cli/environment.h"
#include "cli/local_chips.h"
#include "engine/runner.h"
#include "model/model.h"

namespace CLI {
class App;
}  // namespace CLI

namespace switchyard::cli {

// The options that choose chip and memory, the same for every command that runs a model.
struct SessionOptions {
  std::string model;
  std::string chip;
  std::uint32_t device = 0;
  std::int64_t threads = 0;  // 0: the chip decides
  std::vector<std::string> chip_options;
  bool no_fallback = false;
  std::int64_t context_tokens = 0;  // 0: the model's own, 4096 at most
  std::string kv_type = "f16";
  // What the user should know of how the model runs; null: standard error.
  std::function<void(std::string_view)> on_notice = {};
};

void AddSessionOptions(CLI::App& command, SessionOptions& options);

// f16, f32 or bf16.
base::Result<tensor::DType> ParseKvType(const std::string& name);

base::Result<ChipChoice> ChooseChip(const SessionOptions& options);

// Fetches the model if need be, showing progress.
base::Result<std::filesystem::path> ResolveModel(const std::string& model,
                                                 const Environment& environment);

// "q4_1, q8_0, f32": the types of a model's weights, by size.
std::string WeightTypes(const model::Model& model);

class ModelSession {
 public:
  // `runner` supplies what SessionOptions does not say.
  static base::Result<std::unique_ptr<ModelSession>> Open(const SessionOptions& options,
                                                          engine::RunnerOptions runner,
                                                          const Environment& environment);

  model::Model& model() { return *model_; }
  engine::Runner& runner() { return *runner_; }
  const device::Device& device() const { return chip_->device(); }
  const std::filesystem::path& path() const { return path_; }  // of the model
  const ChipChoice& choice() const { return choice_; }
  const std::filesystem::path& plugin() const { return chip_->plugin(); }

  const device::LoadReport& report() const { return runner_->report(); }
  std::string WeightTypes() const { return cli::WeightTypes(*model_); }
  // What one decoded token reads with `depth` tokens in the cache.
  double DecodeBytes(double depth) const;
  // Multiply-adds, 2 each, of one prompt token's linear layers; the output head runs for the last
  // only.
  double FlopPerToken() const;

 private:
  std::filesystem::path path_;
  ChipChoice choice_;
  std::unique_ptr<OpenedChip> chip_;  // outlives what is prepared on it
  std::unique_ptr<model::Model> model_;
  std::unique_ptr<engine::Runner> runner_;
};

}  // namespace switchyard::cli
