#include "cli/serve_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "access/key_file.h"
#include "access/member_access.h"
#include "base/metric_text.h"
#include "cli/certificate_files.h"
#include "cli/certificates_in_force.h"
#include "cli/fingerprints.h"
#include "cli/model_text.h"
#include "cli/resource_metrics.h"
#include "cli/sampling_defaults.h"
#include "cli/serve_config.h"
#include "cli/serve_log.h"
#include "cli/serve_membership.h"
#include "cli/serve_options.h"
#include "cli/serve_signals.h"
#include "cli/serve_traces.h"
#include "cli/served_question.h"
#include "cli/service_notice.h"
#include "cli/serving_chips.h"
#include "net/http_server.h"
#include "protocol/api_error.h"
#include "server/api_server.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

// How many ports are tried where none was chosen and the first is taken.
constexpr std::uint16_t kPortsTried = 20;

bool HasTerminal() { return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0; }

base::Result<access::ApiKeys> ReadClientKeys(const ServeOptions& options) {
  return access::ReadKeyFile(options.api_key_file, access::ApiKeys::Parse,
                             "--api-key-file " + options.api_key_file);
}

base::Result<access::ApiKeys> ReadMemberKeys(const ServeOptions& options) {
  return access::ReadKeyFile(options.member_key_file, access::MemberAccess::ParseKeys,
                             "--member-key-file " + options.member_key_file);
}

// Either may be null.
std::string MoreMetrics(const server::TraceExporter* traces, const net::TlsIdentity* identity) {
  std::string text = ResourceMetrics();
  if (traces != nullptr) text += traces->Render();
  if (identity == nullptr) return text;
  constexpr std::string_view kEnd = "switchyard_tls_certificate_end_seconds";
  return text + fmt::format("{}{} {}\n",
                            base::MetricHead(kEnd, "gauge", "The certificate's end, since 1970."),
                            kEnd, identity->valid_until());
}

// Into the chips that `api` describes.
base::Status AddCertificates(const ServeOptions& options, const Environment& environment,
                             const ServingChips& chips, const base::LogSink& log,
                             server::ApiServerOptions& api) {
  SWITCHYARD_TRY(const auto keys, ReadTrustedKeys(environment, {}));
  std::vector<certify::PublicKey> trusted;
  for (const TrustedKey& key : keys) trusted.push_back(key.key);
  ServedHere here{.present = {.model_sha256 = api.identity.sha256,
                              .model_architecture = api.identity.architecture,
                              .weight_types = api.identity.weight_types,
                              .kv_type = api.identity.kv_type,
                              .a = {},
                              .b = {},
                              .machine = FingerprintMachine(),
                              .program = std::string(ProgramVersion())},
                  .chips = {}};
  SWITCHYARD_TRY(here.chips, chips.Fingerprints());
  const std::vector<std::filesystem::path> paths(options.certificates.begin(),
                                                 options.certificates.end());
  SWITCHYARD_TRY(auto certificates, CertificatesInForce(paths, here, trusted,
                                                        std::chrono::floor<std::chrono::seconds>(
                                                            std::chrono::system_clock::now())));
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    server::ServingChip& chip = api.chips[i];
    chip.certificate = std::move(certificates[i]);
    log({chip.certificate ? base::LogLevel::kInfo : base::LogLevel::kWarn,
         chip.certificate ? "certificate in force" : "no certificate",
         {{"chip", chip.name},
          {"replica", static_cast<std::int64_t>(i)},
          {"expires", chip.certificate ? chip.certificate->expires : ""}}});
  }
  return {};
}

base::Result<server::ApiServerOptions> ApiOptions(const ServeOptions& options,
                                                  const Environment& environment,
                                                  ServingChips& chips, const base::LogSink& log) {
  server::ApiServerOptions api;
  api.model = options.served_name.empty() ? options.session.model : options.served_name;
  if (api.model != options.session.model) api.aliases.push_back(options.session.model);
  api.version = SWITCHYARD_VERSION;
  // OpenAI's own where the publisher says nothing.
  api.sampling = WithRecommended({}, chips.model().generation_defaults());
  api.chips = chips.Described();
  api.identity = chips.Identity();
  api.determinism = chips.Determinism(options.deterministic);
  api.times = {.request = std::chrono::seconds(options.request_seconds),
               .queue = std::chrono::seconds(options.queue_seconds),
               .heartbeat = std::chrono::seconds(options.heartbeat_seconds)};
  if (!options.api_key_file.empty()) {
    SWITCHYARD_TRY(api.keys, ReadClientKeys(options));
  }
  if (!options.member_key_file.empty()) {
    SWITCHYARD_TRY(api.member_keys, ReadMemberKeys(options));
  }
  if (!options.member_key_file.empty() || !options.certificates.empty()) {
    SWITCHYARD_TRY(api.identity.sha256, Sha256OfModel(chips.first().path()));
    api.kv = &chips.kv();
    api.kv_most_bytes = options.max_body_mib << 20;
  }
  if (!options.certificates.empty()) {
    SWITCHYARD_RETURN_IF_ERROR(AddCertificates(options, environment, chips, log, api));
  }
  if (!options.no_request_log) api.log = log;
  return api;
}

net::HttpServerOptions HttpOptionsOf(const ServeOptions& options) {
  net::HttpServerOptions http;
  http.host = options.host;
  http.port = options.port;
  http.max_connections = options.max_connections;
  http.body_limit_bytes = options.max_body_mib << 20;
  http.error_body = [](int status, std::string_view message) {
    return protocol::ErrorBody(protocol::ApiError{status, std::string(message)});
  };
  return http;
}

// Null without TLS.
base::Result<std::shared_ptr<net::TlsIdentity>> LoadIdentity(const ServeOptions& options) {
  if (options.tls_cert.empty()) return nullptr;
  return net::TlsIdentity::Load({options.tls_cert, options.tls_key, options.tls_client_ca});
}

// Where nobody chose a port and a question is to be answered, a port that is taken is no reason to
// give up.
base::Result<std::unique_ptr<net::HttpServer>> Listen(const ServeOptions& options,
                                                      bool is_port_chosen,
                                                      std::shared_ptr<net::TlsIdentity> tls,
                                                      const net::HttpService& service) {
  const bool may_move = !is_port_chosen && !options.ask.empty();
  for (std::uint16_t tried = 1;; ++tried) {
    net::HttpServerOptions http = HttpOptionsOf(options);
    http.tls = tls;
    http.port = static_cast<std::uint16_t>(options.port + tried - 1);
    auto server = net::HttpServer::Start(std::move(http), service);
    if (server && tried > 1) {
      fmt::print(stderr, "switchyard: port {} is taken; this is port {} (--port chooses one)\n",
                 options.port, (*server)->port());
    }
    const bool is_taken = !server && server.error().code == ErrorCode::kUnavailable;
    if (!may_move || !is_taken || tried == kPortsTried) return server;
  }
}

base::Result<ServerAddress> AddressOf(const ServeOptions& options, const std::string& model,
                                      std::uint16_t port) {
  const bool is_v6 = options.host.find(':') != std::string::npos;
  const std::string shown = ListensEverywhere(options) ? "127.0.0.1"
                            : is_v6                    ? "[" + options.host + "]"
                                                       : options.host;
  const std::string_view scheme = options.tls_cert.empty() ? "http" : "https";
  ServerAddress address{
      fmt::format("{}://{}:{}", scheme, shown, port), model, {}, options.tls_cert};
  if (!options.api_key_file.empty()) {
    SWITCHYARD_TRY(const std::string text, access::ReadKeyText(options.api_key_file));
    address.key = access::ApiKeys::FirstKey(text);
  }
  return address;
}

// The address, and a line that asks it something.
void Announce(const ServerAddress& address, const std::string& body) {
  fmt::print("Serving {} at {}/v1\n{}\n", address.model, address.url, CurlLine(address, body));
  std::fflush(stdout);
}

// Shows the answer as it comes, and then what it cost. Whether it was asked to stop meanwhile is
// seen by whoever waits next.
base::Status Ask(const ServerAddress& address, const std::string& body, ServingChips& chips,
                 const ServeSignals& signals) {
  const auto answer = AskServer(address, body, [&](std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
    return !signals.IsAskedToStop();
  });
  fmt::print("\n");
  std::fflush(stdout);
  if (!answer && answer.error().code == ErrorCode::kCancelled) return {};
  if (!answer) return base::Rethrow(answer.error(), "the question got no answer");
  fmt::print(stderr, "[{}]\n", SpeedLine(answer->times, chips.first(), chips.ceilings()));
  return {};
}

// What was read from files is read again; what is broken stays as it was.
void Reload(const ServeOptions& options, server::ApiServer& api, net::TlsIdentity* identity,
            const base::LogSink& log) {
  const auto tell = [&log](const std::string& what, const base::Status& status) {
    if (status) {
      log({base::LogLevel::kInfo, "reloaded", {{"what", what}}});
    } else {
      log({base::LogLevel::kError,
           "not reloaded, the old one stays",
           {{"what", what}, {"why", status.error().message}}});
    }
  };
  if (identity != nullptr) tell("certificate", identity->Reload());
  if (!options.api_key_file.empty()) {
    auto keys = ReadClientKeys(options);
    if (keys) api.ReplaceKeys(std::move(*keys));
    tell("API keys", keys ? base::Status() : std::unexpected(keys.error()));
  }
  if (!options.member_key_file.empty()) {
    auto keys = ReadMemberKeys(options);
    if (keys) api.ReplaceMemberKeys(std::move(*keys));
    tell("member's keys", keys ? base::Status() : std::unexpected(keys.error()));
  }
}

// What is left is given back, which takes no longer than writing it.
constexpr std::chrono::seconds kHandBack{5};

// Nothing new is admitted; what runs may finish until the time is over, and is given back then. A
// second signal ends it at once.
void Drain(server::ApiServer& api, ServeSignals& signals, std::int64_t seconds,
           const base::LogSink& log) {
  log({base::LogLevel::kInfo,
       "stopping",
       {{"requests", api.in_flight()}, {"drain_seconds", seconds}}});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  api.Stop(end);
  const auto await = [&](std::chrono::steady_clock::time_point latest) {
    while (api.in_flight() > 0 && std::chrono::steady_clock::now() < latest) {
      if (signals.Wait(std::chrono::milliseconds(50)) == ServeSignal::kStop) return false;
    }
    return true;
  };
  if (!await(end) || api.in_flight() == 0) return;
  log({base::LogLevel::kWarn, "given back unfinished", {{"requests", api.in_flight()}}});
  await(end + kHandBack);
}

base::Status ServeModel(const ServeOptions& options, bool is_port_chosen,
                        const Environment& environment) {
  SWITCHYARD_RETURN_IF_ERROR(Check(options));
  SWITCHYARD_TRY(const auto identity, LoadIdentity(options));
  const base::LogSink log = MakeServeLog(options);
  SWITCHYARD_TRY(ServingChips chips, ServingChips::Open(options, environment, log));
  const ModelText text(chips.model());
  SWITCHYARD_TRY(auto api_options, ApiOptions(options, environment, chips, log));
  const std::string model = api_options.model;
  const auto traces = MakeTraceExporter(options, environment, model, log);
  if (traces != nullptr) {
    api_options.trace = [&traces](auto spans) { traces->Export(std::move(spans)); };
  }
  api_options.more_metrics = [&traces, &identity] {
    return MoreMetrics(traces.get(), identity.get());
  };
  server::ApiServer api(std::move(api_options), chips.service(), text);

  ServeSignals signals(HasTerminal());
  SWITCHYARD_TRY(const auto http, Listen(options, is_port_chosen, identity,
                                         [&api](net::HttpRequest request, auto responder) {
                                           api.Serve(std::move(request), std::move(responder));
                                         }));
  SWITCHYARD_TRY(const ServerAddress address, AddressOf(options, model, http->port()));
  const bool asks = !options.ask.empty();
  const std::string body = QuestionBody(model, asks ? options.ask : "Say hello.", asks);
  SWITCHYARD_TRY(const auto membership, JoinFleets(options, address, chips.Described(), log));
  Announce(address, body);
  log({base::LogLevel::kInfo,
       "serving",
       {{"model", model}, {"url", address.url}, {"tools", text.traits().ToolsText()}}});
  TellServiceManager(environment,
                     fmt::format("READY=1\nSTATUS=Serving {} at {}", model, address.url));
  base::Status asked;
  bool stays = true;
  if (asks) {
    asked = Ask(address, body, chips, signals);
    stays = asked.has_value() && HasTerminal();
    fmt::print(stderr, "switchyard: {}\n",
               stays ? "serving until Ctrl-C" : "there is no terminal, so this was all");
  }
  while (stays && signals.Wait() == ServeSignal::kReload) {
    Reload(options, api, identity.get(), log);
  }
  TellServiceManager(environment, "STOPPING=1");
  if (membership != nullptr) membership->Leave();
  Drain(api, signals, options.drain_seconds, log);
  http->Stop();
  log({base::LogLevel::kInfo, "stopped", {{"requests_cut_off", api.in_flight()}}});
  return asked;
}

}  // namespace

void AddServeCommand(CommandLine& line, const Environment& environment) {
  const auto o = std::make_shared<ServeOptions>();
  const auto parsed = std::make_shared<CLI::App*>(nullptr);
  CLI::App& command =
      line.Add("serve", "Serves a model to OpenAI clients over HTTP.",
               [o, parsed, &environment]() -> base::Status {
                 CLI::App& said = **parsed;
                 if (o->print_config) {
                   fmt::print("{}", ExampleConfig(said));
                   return {};
                 }
                 if (!o->config.empty()) {
                   SWITCHYARD_RETURN_IF_ERROR(ApplyConfigFile(o->config, said));
                 }
                 return ServeModel(*o, !said.get_option("--port")->empty(), environment);
               });
  AddServeOptions(command, *o);
  *parsed = &command;
}

}  // namespace switchyard::cli
