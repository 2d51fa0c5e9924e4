// switchyard_logits: what a model makes of given tokens, for programs that compare.
//
//   switchyard_logits MODEL --tokens FILE --out FILE [--chip NAME] [--chunk N] [--greedy N]
//
// FILE of --tokens holds one sequence a line, token ids in decimal with spaces between. Each starts
// from an empty cache. Without --greedy the output is the logits of every position of every
// sequence, float32 as this machine stores them, [positions, vocabulary]. With --greedy N it is one
// line of JSON a sequence: {"tokens": [N ids], "gaps": [N numbers]}, the best token after each
// step, fed back in, and how far its logit lies above the second best.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>

#include "cli/model_session.h"

namespace switchyard {
namespace {

using base::ErrorCode;
using base::Fail;

struct Options {
  cli::SessionOptions session;
  std::string tokens_path;
  std::string output_path;
  std::int64_t chunk_tokens = 512;
  std::int64_t greedy_tokens = 0;
};

using Tokens = std::vector<model::TokenId>;

base::Result<std::vector<Tokens>> ReadSequences(const std::string& path, std::int64_t vocabulary) {
  std::ifstream file(path);
  if (!file) return Fail(ErrorCode::kNotFound, "cannot open '{}' of --tokens", path);
  std::vector<Tokens> sequences;
  for (std::string line; std::getline(file, line);) {
    Tokens& sequence = sequences.emplace_back();
    const char* at = line.data();
    const char* const end = line.data() + line.size();
    while (at != end) {
      model::TokenId id = 0;
      const auto [next, error] = std::from_chars(at, end, id);
      if (error != std::errc() || id < 0 || id >= vocabulary) {
        return Fail(ErrorCode::kInvalidArgument, "'{}', line {}: '{}' is no token id below {}",
                    path, sequences.size(), std::string(at, end).substr(0, 20), vocabulary);
      }
      sequence.push_back(id);
      at = next;
      while (at != end && *at == ' ') ++at;
    }
    if (sequence.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "'{}', line {} is empty", path, sequences.size());
    }
  }
  return sequences;
}

base::Status WriteLogits(engine::Runner& runner, const Tokens& tokens, std::ofstream& output) {
  engine::Sequence sequence{tokens, 0, {}};
  const auto total = static_cast<std::int64_t>(tokens.size());
  while (sequence.cached < total) {
    const std::int64_t count = std::min(total - sequence.cached, runner.options().chunk_tokens);
    const engine::Runner::Item item{&sequence, count, true};
    SWITCHYARD_TRY(const std::span<const float> logits, runner.Step({&item, 1}));
    output.write(reinterpret_cast<const char*>(logits.data()),
                 static_cast<std::streamsize>(logits.size_bytes()));
  }
  runner.Release(sequence);
  return {};
}

base::Status WriteGreedy(engine::Runner& runner, const Tokens& prompt, std::int64_t count,
                         std::ofstream& output) {
  engine::Sequence sequence{prompt, 0, {}};
  base::Json line{{"tokens", base::Json::array()}, {"gaps", base::Json::array()}};
  for (std::int64_t i = 0; i < count; ++i) {
    SWITCHYARD_TRY(const std::span<const float> logits, runner.Advance(sequence));
    const auto best = std::ranges::max_element(logits);
    float second = -std::numeric_limits<float>::infinity();
    for (auto other = logits.begin(); other != logits.end(); ++other) {
      if (other != best) second = std::max(second, *other);
    }
    const auto token = static_cast<model::TokenId>(best - logits.begin());
    line["tokens"].push_back(token);
    line["gaps"].push_back(*best - second);
    sequence.tokens.push_back(token);
  }
  runner.Release(sequence);
  output << line.dump() << '\n';
  return {};
}

base::Status Run(const Options& options) {
  const cli::Environment environment = cli::Environment::OfThisProcess();
  engine::RunnerOptions runner_options;
  runner_options.chunk_tokens = options.chunk_tokens;
  SWITCHYARD_TRY(const auto session,
                 cli::ModelSession::Open(options.session, runner_options, environment));
  engine::Runner& runner = session->runner();
  SWITCHYARD_TRY(const std::vector<Tokens> sequences,
                 ReadSequences(options.tokens_path, runner.vocabulary_size()));
  std::ofstream output(options.output_path, std::ios::binary);
  for (const Tokens& tokens : sequences) {
    SWITCHYARD_RETURN_IF_ERROR(options.greedy_tokens > 0
                                   ? WriteGreedy(runner, tokens, options.greedy_tokens, output)
                                   : WriteLogits(runner, tokens, output));
  }
  output.flush();
  if (!output) return Fail(ErrorCode::kUnknown, "cannot write '{}' of --out", options.output_path);
  return {};
}

}  // namespace
}  // namespace switchyard

int main(int argc, char** argv) {
  switchyard::Options options;
  CLI::App app("Logits of given tokens, or greedy continuations of them.");
  switchyard::cli::AddSessionOptions(app, options.session);
  app.add_option("--tokens", options.tokens_path, "File of sequences, one a line")->required();
  app.add_option("--out", options.output_path, "File to write")->required();
  app.add_option("--chunk", options.chunk_tokens, "Tokens of one step at most")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--greedy", options.greedy_tokens, "Continue by so many best tokens instead")
      ->check(CLI::Range(0, 1 << 20));
  CLI11_PARSE(app, argc, argv);
  if (const auto status = switchyard::Run(options); !status) {
    fmt::print(stderr, "switchyard_logits: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
