#include "cli/gateway_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "access/key_file.h"
#include "cli/fingerprints.h"
#include "cli/resource_metrics.h"
#include "cli/serve_log.h"
#include "cli/serve_signals.h"
#include "cli/service_notice.h"
#include "gateway/control.h"
#include "gateway/gateway.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

struct GatewayCommandOptions {
  std::string config;
  std::string log_format = "logfmt";
  std::string log_level = "info";
};

struct FileClose {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using LogFile = std::unique_ptr<std::FILE, FileClose>;

base::Result<std::shared_ptr<net::TlsIdentity>> LoadIdentity(const gateway::ListenConfig& listen) {
  if (listen.certificate_file.empty()) return nullptr;
  return net::TlsIdentity::Load({listen.certificate_file, listen.key_file, ""});
}

// Where requests are logged: the file that the configuration names, "-" for standard error.
base::Result<LogFile> OpenRequestLog(const std::string& path) {
  if (path.empty() || path == "-") return nullptr;
  LogFile file(std::fopen(path.c_str(), "a"));
  if (file == nullptr) {
    return Fail(ErrorCode::kPermissionDenied,
                "cannot write the request log '{}'; choose another file, or '-'", path);
  }
  std::setvbuf(file.get(), nullptr, _IOLBF, 0);
  return file;
}

// Clients' keys and the certificate; the old ones stay where one cannot be read.
base::Status ReadTrustAgain(const gateway::ListenConfig& listen, gateway::Gateway& gateway,
                            net::TlsIdentity* identity) {
  std::optional<access::ApiKeys> keys;
  if (!listen.api_key_file.empty()) {
    SWITCHYARD_TRY(keys, access::ReadKeyFile(listen.api_key_file, access::ApiKeys::Parse));
  }
  if (identity != nullptr) SWITCHYARD_RETURN_IF_ERROR(identity->Reload());
  if (keys) gateway.ReplaceKeys(std::move(*keys));
  return {};
}

void Reload(gateway::Control& control, const base::LogSink& log) {
  const base::Status status = control.Reload();
  if (status) return log({base::LogLevel::kInfo, "reloaded", {}});
  log({base::LogLevel::kError,
       "not reloaded, all stays as it was",
       {{"why", status.error().message}}});
}

base::Status RunGateway(const GatewayCommandOptions& options, const Environment& environment) {
  const auto format =
      base::LogFormatFromName(options.log_format).value_or(base::LogFormat::kLogfmt);
  const auto level = base::LogLevelFromName(options.log_level).value_or(base::LogLevel::kInfo);
  const base::LogSink log = MakeLog(stderr, format, level);
  SWITCHYARD_TRY(const auto control, gateway::Control::Start(options.config, log));
  const gateway::ListenConfig listen = control->fleet().snapshot()->config->listen;
  SWITCHYARD_TRY(const auto identity, LoadIdentity(listen));
  SWITCHYARD_TRY(const LogFile request_log, OpenRequestLog(listen.request_log));

  gateway::GatewayOptions asked{
      .listen = listen,
      .keys = std::nullopt,
      .tls = identity,
      .version = std::string(ProgramVersion()),
      .log = nullptr,
      .decisions = &control->decisions(),
      .felt = &control->felt(),
      .operate = [&admin = control->admin()](
                     const net::HttpRequest& request,
                     auto responder) { admin.Answer(request, std::move(responder)); },
      .more_metrics = [] { return ResourceMetrics(); }};
  if (!listen.api_key_file.empty()) {
    SWITCHYARD_TRY(asked.keys, access::ReadKeyFile(listen.api_key_file, access::ApiKeys::Parse));
  }
  if (listen.request_log == "-") asked.log = log;
  if (request_log != nullptr) asked.log = MakeLog(request_log.get(), format, level);

  ServeSignals signals(::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0);
  SWITCHYARD_TRY(const auto gateway, gateway::Gateway::Start(std::move(asked), control->fleet()));
  const std::string url = fmt::format("{}://{}:{}", identity == nullptr ? "http" : "https",
                                      listen.host, gateway->port());
  fmt::print("Serving a fleet at {}/v1\n", url);
  std::fflush(stdout);
  log({base::LogLevel::kInfo, "serving", {{"url", url}}});
  TellServiceManager(environment, fmt::format("READY=1\nSTATUS=Serving a fleet at {}", url));
  control->ReloadAlso([&] { return ReadTrustAgain(listen, *gateway, identity.get()); });
  while (signals.Wait() == ServeSignal::kReload) Reload(*control, log);
  control->ReloadAlso(nullptr);
  TellServiceManager(environment, "STOPPING=1");
  log({base::LogLevel::kInfo, "stopping", {{"requests", gateway->in_flight()}}});
  gateway->Stop(listen.drain);
  log({base::LogLevel::kInfo, "stopped", {}});
  return {};
}

}  // namespace

void AddGatewayCommand(CommandLine& line, const Environment& environment) {
  const auto o = std::make_shared<GatewayCommandOptions>();
  CLI::App& command = line.Add(
      "gateway", "One address in front of many servers; an answer outlives the one that began it",
      [o, &environment] { return RunGateway(*o, environment); });
  command.add_option("--config", o->config, "fleet.toml: who serves, and what may run where")
      ->required();
  command.add_option("--log-format", o->log_format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}));
  command.add_option("--log-level", o->log_level, "error, warn, info or debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}));
}

}  // namespace switchyard::cli
