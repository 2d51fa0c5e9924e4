#include "cli/serve_command.h"

#include <semaphore.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include "cli/model_session.h"
#include "cli/model_text.h"
#include "engine/batch_engine.h"
#include "engine/replicas.h"
#include "net/http_server.h"
#include "protocol/api_error.h"
#include "server/api_server.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

// A step holds a token of each.
constexpr std::int64_t kMaxRunning = engine::RunnerOptions{}.chunk_tokens;

struct Options {
  SessionOptions session;
  std::vector<std::string> chips;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string api_key_file;
  std::string served_name;
  std::int64_t max_waiting = 1024;
  std::int64_t max_running = 16;
  std::int64_t kv_pages = 0;
  std::size_t max_connections = 1024;
  std::size_t max_body_mib = 32;
  std::int64_t drain_seconds = 30;
  bool no_request_log = false;
};

// SIGINT and SIGTERM; a second one ends the drain. A semaphore is what a signal may post to.
sem_t g_signalled;

class SignalGuard {
 public:
  SignalGuard() {
    ::sem_init(&g_signalled, 0, 0);
    struct sigaction action{};
    action.sa_handler = [](int) { ::sem_post(&g_signalled); };
    ::sigaction(SIGINT, &action, &interrupt_before_);
    ::sigaction(SIGTERM, &action, &terminate_before_);
  }
  ~SignalGuard() {
    ::sigaction(SIGINT, &interrupt_before_, nullptr);
    ::sigaction(SIGTERM, &terminate_before_, nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  static void Wait() {
    while (::sem_wait(&g_signalled) != 0) {
    }
  }
  // Whether a signal came within 50 ms.
  static bool Poll() {
    timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50'000'000;
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    return ::sem_timedwait(&g_signalled, &until) == 0;
  }

 private:
  struct sigaction interrupt_before_{};
  struct sigaction terminate_before_{};
};

// One for each chip, with a model of its own, as the engine's replicas want it.
using Sessions = std::vector<std::unique_ptr<ModelSession>>;

// "opencl:row_lanes=8" is for the chip of that name alone.
base::Result<std::vector<std::string>> ChipOptionsFor(const std::string& chip,
                                                      const Options& options) {
  std::vector<std::string> chosen;
  for (const std::string& option : options.session.chip_options) {
    const std::size_t colon = option.substr(0, option.find('=')).find(':');
    if (colon == std::string::npos && options.chips.size() > 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--chip-option {} is for which of the {} chips? Write CHIP:{}", option,
                  options.chips.size(), option);
    }
    if (colon == std::string::npos) {
      chosen.push_back(option);
    } else if (option.substr(0, colon) == chip) {
      chosen.push_back(option.substr(colon + 1));
    } else if (std::ranges::find(options.chips, option.substr(0, colon)) == options.chips.end()) {
      return Fail(ErrorCode::kInvalidArgument, "--chip-option {}: '{}' is not among the chips",
                  option, option.substr(0, colon));
    }
  }
  return chosen;
}

base::Result<Sessions> OpenSessions(const Options& options, const Environment& environment) {
  engine::RunnerOptions runner;
  runner.sequences = options.max_running;
  runner.pages = options.kv_pages;
  Sessions sessions;
  for (const std::string& chip :
       options.chips.empty() ? std::vector{options.session.chip} : options.chips) {
    SessionOptions one = options.session;
    one.chip = chip;
    SWITCHYARD_TRY(one.chip_options, ChipOptionsFor(chip, options));
    SWITCHYARD_TRY(auto session, ModelSession::Open(one, runner, environment));
    sessions.push_back(std::move(session));
  }
  return sessions;
}

// The engines that complete tokens for the server. They alone use the sessions' runners from now
// on.
std::unique_ptr<engine::CompletionService> MakeService(const Sessions& sessions,
                                                       const Options& options) {
  engine::BatchEngineOptions batching;
  batching.sequences = options.max_running;
  batching.waiting = options.max_waiting;
  std::vector<std::unique_ptr<engine::BatchEngine>> engines;
  for (const auto& session : sessions) {
    engines.push_back(std::make_unique<engine::BatchEngine>(
        session->runner(), session->model().tokenizer(), batching));
  }
  if (engines.size() == 1) return std::move(engines.front());
  return std::make_unique<engine::Replicas>(
      std::move(engines), engine::ReplicasOptions{.waiting = options.max_waiting});
}

// The publisher's recommendations where there are some, else what OpenAI's interface means.
engine::SamplingParameters DefaultSampling(const model::GenerationDefaults& defaults) {
  engine::SamplingParameters sampling;
  if (defaults.temperature) sampling.temperature = *defaults.temperature;
  if (defaults.sample == false) sampling.temperature = 0;
  if (defaults.top_p) sampling.top_p = *defaults.top_p;
  if (defaults.top_k) sampling.top_k = *defaults.top_k;
  if (defaults.min_p) sampling.min_p = *defaults.min_p;
  if (defaults.repetition_penalty) sampling.repetition_penalty = *defaults.repetition_penalty;
  return sampling;
}

base::Result<server::ApiKeys> ReadKeys(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return Fail(ErrorCode::kNotFound,
                "cannot read the keys in '{}': it must be a file with one key a line", path);
  }
  auto keys = server::ApiKeys::Parse(text.str());
  if (!keys) return base::Rethrow(std::move(keys.error()), "--api-key-file {}", path);
  return keys;
}

base::Result<server::ApiServerOptions> ApiOptions(const Options& options,
                                                  const Sessions& sessions) {
  server::ApiServerOptions api;
  api.model = options.served_name.empty() ? options.session.model : options.served_name;
  if (api.model != options.session.model) api.aliases.push_back(options.session.model);
  api.version = SWITCHYARD_VERSION;
  api.sampling = DefaultSampling(sessions.front()->model().generation_defaults());
  for (const auto& session : sessions) {
    api.chips.push_back({std::string(session->device().chip().name()),
                         session->device().properties().name,
                         session->runner().report().ops_on_fallback});
  }
  if (!options.api_key_file.empty()) {
    SWITCHYARD_TRY(auto keys, ReadKeys(options.api_key_file));
    api.keys = std::move(keys);
  }
  if (!options.no_request_log) {
    // One call, one line: the stream's lock keeps lines whole.
    api.log = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
  }
  return api;
}

void Announce(const Options& options, const std::string& model, std::uint16_t port) {
  const bool is_v6 = options.host.find(':') != std::string::npos;
  const bool is_any = options.host == "0.0.0.0" || options.host == "::";
  const std::string shown = is_any ? "127.0.0.1" : is_v6 ? "[" + options.host + "]" : options.host;
  fmt::print("Serving {} at http://{}:{}/v1\n", model, shown, port);
  fmt::print(
      "curl http://{}:{}/v1/chat/completions -H 'Content-Type: application/json' {}-d '{}'\n",
      shown, port, options.api_key_file.empty() ? "" : "-H 'Authorization: Bearer YOUR_KEY' ",
      base::Json({{"model", model}, {"messages", {{{"role", "user"}, {"content", "Say hello."}}}}})
          .dump());
  std::fflush(stdout);
}

// Nothing new is admitted; what runs may finish until the time is over or a second signal comes.
void Drain(server::ApiServer& api, std::int64_t seconds) {
  api.BeginDrain();
  fmt::print(stderr, "switchyard: stopping; {} requests have {} s to finish\n", api.in_flight(),
             seconds);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (api.in_flight() > 0 && std::chrono::steady_clock::now() < end) {
    if (SignalGuard::Poll()) return;
  }
}

base::Status ServeModel(Options options, const Environment& environment) {
  if (options.max_running < 1 || options.max_running > kMaxRunning || options.max_waiting < 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "--max-running must lie between 1 and {} and --max-waiting be 1 or more",
                kMaxRunning);
  }
  SWITCHYARD_TRY(const Sessions sessions, OpenSessions(options, environment));
  const auto service = MakeService(sessions, options);
  const ModelText text(sessions.front()->model());
  SWITCHYARD_TRY(auto api_options, ApiOptions(options, sessions));
  const std::string model = api_options.model;
  server::ApiServer api(std::move(api_options), *service, text);

  net::HttpServerOptions http_options;
  http_options.host = options.host;
  http_options.port = options.port;
  http_options.max_connections = options.max_connections;
  http_options.body_limit_bytes = options.max_body_mib << 20;
  http_options.error_body = [](int status, std::string_view message) {
    return protocol::ErrorBody(protocol::ApiError{status, std::string(message)});
  };
  const SignalGuard signals;
  SWITCHYARD_TRY(const auto http,
                 net::HttpServer::Start(std::move(http_options),
                                        [&api](net::HttpRequest request, auto responder) {
                                          api.Serve(std::move(request), std::move(responder));
                                        }));
  Announce(options, model, http->port());
  SignalGuard::Wait();
  Drain(api, options.drain_seconds);
  http->Stop();
  return {};
}

}  // namespace

void AddServeCommand(CommandLine& line, const Environment& environment) {
  const auto o = std::make_shared<Options>();
  CLI::App& command = line.Add("serve", "Serves a model to OpenAI clients over HTTP.",
                               [o, &environment] { return ServeModel(*o, environment); });
  AddSessionOptions(command, o->session);
  command.remove_option(command.get_option("--chip"));
  command
      .add_option("--chip", o->chips, "A chip to serve from; repeated, one queue feeds them all")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--host", o->host, "The address to listen on; 0.0.0.0 or :: is all");
  command.add_option("--port", o->port, "The port to listen on; 0 is any that is free");
  command.add_option("--api-key-file", o->api_key_file, "Keys that clients need, one a line");
  command.add_option("--served-model-name", o->served_name, "The model's name to clients");
  command.add_option("--max-running", o->max_running, "Requests in the batch at most");
  command.add_option("--kv-pages", o->kv_pages,
                     "Pages of the KV cache, of 32 tokens or what the chip wants; 0: enough for "
                     "all that run at full context");
  command.add_option("--max-waiting", o->max_waiting, "Requests that wait at most; more get 429");
  command.add_option("--max-connections", o->max_connections, "More get 503");
  command.add_option("--max-body-mib", o->max_body_mib, "A request's body at most, in MiB");
  command.add_option("--drain-seconds", o->drain_seconds,
                     "What runs may take so long to finish after SIGTERM or Ctrl-C");
  command.add_flag("--no-request-log", o->no_request_log, "No line for each request");
}

}  // namespace switchyard::cli
