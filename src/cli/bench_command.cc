#include "cli/bench_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "cli/model_session.h"
#include "engine/throughput.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

struct BenchOptions {
  SessionOptions session;
  std::vector<std::int64_t> prefill{512};
  std::vector<std::int64_t> decode{128};
  std::vector<std::int64_t> batch{1};
  std::vector<std::int64_t> depth{0};
  std::int64_t chunk_tokens = 512;
  std::int64_t repetitions = 3;
  bool json = false;
  bool fresh_ceilings = false;
};

// One line of the result.
struct Measurement {
  bool is_prefill = false;
  std::int64_t tokens = 0;
  std::int64_t depth = 0;
  std::int64_t batch = 1;
  std::vector<double> tokens_per_s;
  std::optional<double> share_of_ceiling;
};

using engine::Median;

class Bench {
 public:
  Bench(const BenchOptions& options, ModelSession& session, const Ceilings& ceilings)
      : options_(options), session_(session), ceilings_(ceilings) {}

  base::Result<Measurement> Prefill(std::int64_t tokens, std::int64_t batch) {
    Measurement result{true, tokens, 0, batch, {}, {}};
    SWITCHYARD_TRY(
        result.tokens_per_s,
        engine::MeasurePrefill(session_.runner(), {tokens, 0, batch}, options_.repetitions));
    const auto ceiling = ceilings_.gflop_s.find(ArithmeticType());
    if (ceiling != ceilings_.gflop_s.end()) {
      result.share_of_ceiling =
          Median(result.tokens_per_s) * session_.FlopPerToken() / (ceiling->second * 1e9);
    }
    return result;
  }

  base::Result<Measurement> Decode(std::int64_t tokens, std::int64_t depth, std::int64_t batch) {
    Measurement result{false, tokens, depth, batch, {}, {}};
    SWITCHYARD_TRY(
        result.tokens_per_s,
        engine::MeasureDecode(session_.runner(), {tokens, depth, batch}, options_.repetitions));
    if (ceilings_.memory_gb_s) {
      // Weights are read once a step, each sequence's cache by itself.
      const double mean_depth = static_cast<double>(depth) + static_cast<double>(tokens) / 2;
      const double bytes =
          session_.DecodeBytes(0) +
          (session_.DecodeBytes(mean_depth) - session_.DecodeBytes(0)) * static_cast<double>(batch);
      const double steps_per_s = Median(result.tokens_per_s) / static_cast<double>(batch);
      result.share_of_ceiling = steps_per_s * bytes / (*ceilings_.memory_gb_s * 1e9);
    }
    return result;
  }

  // The type whose ceiling prefill is held against: that of the chip's arithmetic on most weights.
  std::string ArithmeticType() const {
    const std::string types = session_.WeightTypes();
    const std::string first = types.substr(0, types.find(','));
    if (first == "f32" || first == "f16" || first == "bf16") return first;
    return "i8";
  }

 private:
  const BenchOptions& options_;
  ModelSession& session_;
  const Ceilings& ceilings_;
};

base::Json ToJson(const Measurement& m) {
  base::Json json{{"tokens", m.tokens},
                  {"depth", m.depth},
                  {"batch", m.batch},
                  {"tokens_per_s", Median(m.tokens_per_s)},
                  {"samples", m.tokens_per_s}};
  if (m.share_of_ceiling) json["share_of_ceiling"] = *m.share_of_ceiling;
  return json;
}

void Print(const Measurement& m, std::string_view ceiling) {
  const auto [low, high] = std::ranges::minmax(m.tokens_per_s);
  fmt::print("{:<8} {:>5} tokens  depth {:>5}  batch {:>3}  {:>9.1f} tokens/s ({:.1f} to {:.1f})",
             m.is_prefill ? "prefill" : "decode", m.tokens, m.depth, m.batch,
             Median(m.tokens_per_s), low, high);
  if (m.share_of_ceiling) {
    fmt::print("  {:.0f} % of the {} ceiling", 100 * *m.share_of_ceiling, ceiling);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

base::Status CheckOptions(const BenchOptions& options) {
  const auto check = [](std::string_view name, const std::vector<std::int64_t>& values,
                        std::int64_t low) -> base::Status {
    for (const std::int64_t value : values) {
      if (value < low || value > 1 << 20) {
        return Fail(ErrorCode::kInvalidArgument, "{} is {}: it must lie between {} and {}", name,
                    value, low, 1 << 20);
      }
    }
    return {};
  };
  SWITCHYARD_RETURN_IF_ERROR(check("--prefill", options.prefill, 1));
  SWITCHYARD_RETURN_IF_ERROR(check("--decode", options.decode, 1));
  SWITCHYARD_RETURN_IF_ERROR(check("--batch", options.batch, 1));
  SWITCHYARD_RETURN_IF_ERROR(check("--depth", options.depth, 0));
  SWITCHYARD_RETURN_IF_ERROR(check("--chunk", {options.chunk_tokens}, 1));
  return check("--repetitions", {options.repetitions}, 1);
}

base::Status RunBench(BenchOptions options, const Environment& environment) {
  SWITCHYARD_RETURN_IF_ERROR(CheckOptions(options));
  const auto largest = [](const std::vector<std::int64_t>& values) {
    return values.empty() ? std::int64_t{0} : std::ranges::max(values);
  };
  engine::RunnerOptions runner;
  runner.sequences = largest(options.batch);
  runner.chunk_tokens = std::max(options.chunk_tokens, runner.sequences);
  options.chunk_tokens = runner.chunk_tokens;
  const std::int64_t needed =
      std::max(largest(options.prefill), largest(options.depth) + largest(options.decode) + 1);
  if (options.session.context_tokens == 0) options.session.context_tokens = needed;
  SWITCHYARD_TRY(const auto session, ModelSession::Open(options.session, runner, environment));
  const Ceilings ceilings = MeasureCeilings(
      session->device(), environment.CacheFolder() / "switchyard",
      options.fresh_ceilings ? CeilingSource::kMeasureNow : CeilingSource::kRemembered);

  Bench bench(options, *session, ceilings);
  const sy_device_properties& properties = session->device().properties();
  base::Json json{{"model", session->model().config().name},
                  {"chip", session->device().chip().name()},
                  {"device", properties.name},
                  {"architecture", properties.architecture},
                  {"threads", properties.unit_count},
                  {"weights", session->WeightTypes()},
                  {"kv_type", options.session.kv_type},
                  {"arithmetic", bench.ArithmeticType()},
                  {"decode_bytes_per_token", session->DecodeBytes(0)},
                  {"flop_per_token", session->FlopPerToken()},
                  {"ceiling", cli::ToJson(ceilings)},
                  {"prefill", base::Json::array()},
                  {"decode", base::Json::array()}};
  if (!options.json) {
    fmt::print("{} on {} ({}, {}, {} units); weights {}\n", options.session.model,
               session->device().chip().name(), properties.name, properties.architecture,
               properties.unit_count, session->WeightTypes());
  }
  const auto report = [&](const Measurement& m) {
    if (options.json) {
      json[m.is_prefill ? "prefill" : "decode"].push_back(ToJson(m));
    } else {
      Print(m, m.is_prefill ? bench.ArithmeticType() + " arithmetic" : "memory");
    }
  };
  for (const std::int64_t batch : options.batch) {
    for (const std::int64_t tokens : options.prefill) {
      SWITCHYARD_TRY(const Measurement m, bench.Prefill(tokens, batch));
      report(m);
    }
    for (const std::int64_t depth : options.depth) {
      for (const std::int64_t tokens : options.decode) {
        SWITCHYARD_TRY(const Measurement m, bench.Decode(tokens, depth, batch));
        report(m);
      }
    }
  }
  if (options.json) fmt::print("{}\n", base::WriteJson(json, 2));
  return {};
}

}  // namespace

void AddBenchCommand(CommandLine& line, const Environment& environment) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App& command =
      line.Add("bench", "Measures prefill and decode, as tokens/s and as shares of the ceiling.",
               [options, &environment] { return RunBench(*options, environment); });
  AddSessionOptions(command, options->session);
  command.add_option("--prefill", options->prefill, "Prompt lengths, such as 128,512")
      ->delimiter(',');
  command.add_option("--decode", options->decode, "Numbers of tokens to decode")->delimiter(',');
  command.add_option("--depth", options->depth, "Tokens in the cache before decoding")
      ->delimiter(',');
  command.add_option("--batch", options->batch, "Numbers of sequences at once")->delimiter(',');
  command.add_option("--chunk", options->chunk_tokens, "Tokens of one step at most");
  command.add_option("--repetitions", options->repetitions, "Samples of each; the median is told");
  command.add_flag("--fresh-ceilings", options->fresh_ceilings,
                   "Measure the ceilings now instead of taking those of the last week");
  command.add_flag("--json", options->json, "Print JSON");
}

}  // namespace switchyard::cli
