#include "cli/run_command.h"

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>
#include <sstream>

#include "base/text_file.h"
#include "cli/model_session.h"
#include "cli/sampling_defaults.h"
#include "cli/speed_line.h"
#include "engine/generation.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::string_view kDefaultQuestion =
    "What does a switchyard do in a power grid? Answer in two sentences.";

struct RunOptions {
  SessionOptions session;
  std::string prompt;
  std::string prompt_file;
  std::string system;
  bool raw = false;
  bool quiet = false;
  std::int64_t max_tokens = -1;
  // Unset means what the model's own files recommend, else the defaults of SamplingParameters.
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<std::int32_t> top_k;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<std::uint64_t> seed;
  engine::SamplingParameters sampling;
  std::vector<std::string> stops;
  std::vector<model::TokenId> stop_tokens;
  std::vector<std::string> logit_bias;
  bool ignore_end = false;
};

// Ctrl-C ends the answer; a second one, with no answer in progress, ends the program as ever.
std::atomic<bool> g_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

class InterruptGuard {
 public:
  InterruptGuard() {
    g_interrupted = false;
    struct sigaction action{};
    action.sa_handler = [](int) { g_interrupted = true; };
    ::sigaction(SIGINT, &action, &before_);
  }
  ~InterruptGuard() { ::sigaction(SIGINT, &before_, nullptr); }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction before_{};
};

base::Result<std::pair<model::TokenId, float>> ParseLogitBias(const std::string& text) {
  std::istringstream in(text);
  model::TokenId id = 0;
  char equals = 0;
  float bias = 0;
  if (!(in >> id >> equals >> bias) || equals != '=' || in.peek() != EOF) {
    return Fail(ErrorCode::kInvalidArgument,
                "--logit-bias '{}' is not of the form TOKEN=BIAS, such as 42=-100", text);
  }
  return std::pair(id, bias);
}

base::Result<engine::SamplingParameters> ChooseSampling(const RunOptions& options,
                                                        const model::GenerationDefaults& defaults) {
  engine::SamplingParameters sampling = options.sampling;
  sampling.temperature = 0.8F;
  sampling.top_p = 0.95F;
  sampling.top_k = 40;
  sampling = WithRecommended(std::move(sampling), defaults);
  sampling.temperature = options.temperature.value_or(sampling.temperature);
  sampling.top_p = options.top_p.value_or(sampling.top_p);
  sampling.top_k = options.top_k.value_or(sampling.top_k);
  sampling.min_p = options.min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = options.repetition_penalty.value_or(sampling.repetition_penalty);
  sampling.seed = options.seed ? *options.seed : std::random_device{}();
  for (const std::string& text : options.logit_bias) {
    SWITCHYARD_TRY(const auto bias, ParseLogitBias(text));
    sampling.logit_bias.push_back(bias);
  }
  SWITCHYARD_RETURN_IF_ERROR(Validate(sampling));
  return sampling;
}

base::Result<std::string> ReadPromptFile(const std::string& path) {
  if (path == "-") {
    std::ostringstream text;
    text << std::cin.rdbuf();
    return text.str();
  }
  auto text = base::ReadTextFile(path);
  if (!text) {
    return Fail(ErrorCode::kNotFound, "cannot read the prompt file '{}': check its name", path);
  }
  return *std::move(text);
}

class Conversation {
 public:
  Conversation(const RunOptions& options, ModelSession& session,
               engine::SamplingParameters sampling, const Environment& environment)
      : options_(options),
        session_(session),
        sampling_(std::move(sampling)),
        environment_(environment) {
    Reset();
  }

  void Reset() {
    messages_ = base::Json::array();
    if (!options_.system.empty()) {
      messages_.push_back({{"role", "system"}, {"content", options_.system}});
    }
  }

  // Answers `text` on standard output.
  base::Status Ask(const std::string& text) {
    engine::CompletionRequest request;
    request.sampling = sampling_;
    request.max_tokens = options_.max_tokens;
    request.stops = options_.stops;
    request.stop_tokens = options_.stop_tokens;
    if (!options_.ignore_end) request.end_tokens = session_.model().end_tokens();
    messages_.push_back({{"role", "user"}, {"content", text}});
    SWITCHYARD_TRY(request.prompt, PromptTokens(text));

    std::string answer;
    const InterruptGuard guard;
    auto generation = engine::Generate(session_.runner(), session_.model().tokenizer(), sequence_,
                                       request, [&answer](std::string_view piece) {
                                         answer += piece;
                                         fmt::print("{}", piece);
                                         std::fflush(stdout);
                                         return !g_interrupted.load();
                                       });
    fmt::print("\n");
    std::fflush(stdout);
    if (!generation) return std::unexpected(std::move(generation.error()));
    messages_.push_back({{"role", "assistant"}, {"content", answer}});
    if (!options_.quiet) {
      const auto ceilings = MeasureCeilings(
          session_.device(), environment_.CacheFolder() / "switchyard", CeilingSource::kRemembered);
      fmt::print(stderr, "[{}]\n",
                 SpeedLine({.prefill_tokens = generation->prefill_tokens,
                            .prefill_s = generation->prefill_s,
                            .decode_steps = generation->decode_steps,
                            .decode_s = generation->decode_s,
                            .depth = std::ssize(sequence_.tokens)},
                           session_, ceilings));
    }
    if (generation->end == engine::CompletionEnd::kLength && options_.max_tokens < 0) {
      fmt::print(stderr, "switchyard: the context of {} tokens is full; --context asks for more\n",
                 session_.runner().options().context_tokens);
    }
    return {};
  }

 private:
  base::Result<std::vector<model::TokenId>> PromptTokens(const std::string& text) const {
    model::Model& model = session_.model();
    if (options_.raw) {
      return model.tokenizer().Encode(text, {.add_special = true, .parse_special = false});
    }
    return model.EncodeChat(messages_);
  }

  const RunOptions& options_;
  ModelSession& session_;
  engine::SamplingParameters sampling_;
  const Environment& environment_;
  base::Json messages_;
  engine::Sequence sequence_;
};

base::Status Chat(Conversation& conversation) {
  fmt::print(stderr, "Ask something. /reset begins anew, /exit or Ctrl-D ends.\n");
  std::string line;
  while (true) {
    fmt::print(stderr, "\n> ");
    std::fflush(stderr);
    if (!std::getline(std::cin, line) || line == "/exit") break;
    if (line == "/reset") {
      conversation.Reset();
    } else if (!line.empty()) {
      SWITCHYARD_RETURN_IF_ERROR(conversation.Ask(line));
    }
  }
  return {};
}

base::Status RunModel(const RunOptions& options, const Environment& environment) {
  std::string prompt = options.prompt;
  if (!options.prompt_file.empty()) {
    SWITCHYARD_TRY(prompt, ReadPromptFile(options.prompt_file));
  }
  SWITCHYARD_TRY(const auto session, ModelSession::Open(options.session, {}, environment));
  SWITCHYARD_TRY(auto sampling, ChooseSampling(options, session->model().generation_defaults()));
  if (!options.raw && !session->model().has_chat_template()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "'{}' has no chat template: give --raw to continue a plain text",
                options.session.model);
  }
  Conversation conversation(options, *session, std::move(sampling), environment);
  if (!prompt.empty()) return conversation.Ask(prompt);
  if (::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0) return Chat(conversation);
  fmt::print(stderr, "No terminal and no -p: asking \"{}\"\n", kDefaultQuestion);
  return conversation.Ask(std::string(kDefaultQuestion));
}

}  // namespace

void AddRunCommand(CommandLine& line, const Environment& environment) {
  const auto o = std::make_shared<RunOptions>();
  CLI::App& command = line.Add("run", "Answers one prompt, or chats in the terminal.",
                               [o, &environment] { return RunModel(*o, environment); });
  AddSessionOptions(command, o->session);
  command.add_option("-p,--prompt", o->prompt, "The prompt; without it a chat begins");
  command.add_option("-f,--file", o->prompt_file, "Read the prompt from a file, - is stdin");
  command.add_option("--system", o->system, "The system turn of the conversation");
  command.add_flag("--raw", o->raw, "Continue the prompt as it is, without the chat template");
  command.add_flag("--quiet", o->quiet, "No line of speed at the end");
  command.add_option("-n,--max-tokens", o->max_tokens, "Tokens of an answer at most");
  command.add_option("--temperature", o->temperature, "0 is greedy; the model's own, else 0.8");
  command.add_option("--top-k", o->top_k, "0 is off; the model's own, else 40");
  command.add_option("--top-p", o->top_p, "1 is off; the model's own, else 0.95");
  command.add_option("--min-p", o->min_p, "0 is off; the model's own, else 0");
  command.add_option("--typical", o->sampling.typical_p, "1 is off");
  command.add_option("--repetition-penalty", o->repetition_penalty,
                     "1 is off; the model's own, else 1");
  command.add_option("--presence-penalty", o->sampling.presence_penalty, "0 is off");
  command.add_option("--frequency-penalty", o->sampling.frequency_penalty, "0 is off");
  command.add_option("--logit-bias", o->logit_bias, "TOKEN=BIAS, may be repeated");
  command.add_option("--seed", o->seed, "The same seed gives the same text");
  command.add_option("--stop", o->stops, "A text that ends the answer, may be repeated");
  command.add_option("--stop-token", o->stop_tokens, "A token id that ends the answer");
  command.add_flag("--ignore-eos", o->ignore_end, "Go on past the model's end tokens");
}

}  // namespace switchyard::cli
