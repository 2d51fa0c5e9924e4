#include "cli/serve_options.h"

#include "cli/option_group.h"
#include "engine/runner.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

// A step holds a token of each.
constexpr std::int64_t kMaxRunning = engine::RunnerOptions{}.chunk_tokens;
constexpr std::int64_t kLongest = 7 * 24 * 3600;  // s

constexpr const char* kServeExamples =
    "Examples:\n"
    "  switchyard serve smollm2                                 on this machine's best chip\n"
    "  switchyard serve smollm2 --ask \"Why is the sky blue?\"    serve, and ask it that\n"
    "  switchyard serve model.gguf --host 0.0.0.0 --api-key-file keys.txt\n"
    "  switchyard serve --print-config > serve.toml             every option, to be changed\n"
    "  switchyard serve --config serve.toml\n"
    "Clients: any of OpenAI's, with base URL http://HOST:PORT/v1.\n";

void AddModelOptions(CLI::App& command, ServeOptions& options) {
  AddSessionOptions(command, options.session);
  command.get_option("MODEL")->required(false);  // a configuration may name it
  command.remove_option(command.get_option("--chip"));
  command
      .add_option(
          "--chip", options.chips,
          "A chip to serve from, see 'switchyard chips'; repeated, one queue feeds them all")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option(
          "--certificate", options.certificates,
          "A certificate of 'switchyard certify' for a chip that serves, or a folder of them; "
          "repeated. One that does not hold here stops the start")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--served-model-name", options.served_name, "The model's name to clients");
  for (CLI::Option* option : command.get_options()) {
    if (option->get_name() != "--help") option->group("Model and chips");
  }
}

void AddMembershipOptions(CLI::App& command, MembershipOptions& options) {
  const OptionGroup fleet{command, "Member of a fleet"};
  command
      .add_option("--gateway", options.gateways,
                  "Register with the gateway at this address, and renew; repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(fleet.name);
  fleet.Add("--gateway-key-file", options.gateway_key_file,
            "A file with one of the gateway's keys for members");
  fleet.Add("--gateway-ca-file", options.gateway_ca_file,
            "PEM of the authorities that vouch for the gateway; without it the system's");
  fleet.Add("--member-name", options.name, "Its name in the fleet; without it HOST:PORT");
  fleet.Add("--member-url", options.url,
            "Where gateways reach it, if that is not where it listens; needed with --host "
            "0.0.0.0 and ::");
  AddMemberFacts(fleet, options.facts);
}

}  // namespace

bool ListensEverywhere(const ServeOptions& options) {
  return options.host == "0.0.0.0" || options.host == "::";
}

void AddServeOptions(CLI::App& command, ServeOptions& options) {
  command.footer(kServeExamples);
  command.option_defaults()->always_capture_default();  // --print-config prints them
  AddModelOptions(command, options);

  const OptionGroup network{command, "Network"};
  network.Add("--host", options.host, "The address to listen on; 0.0.0.0 or :: is all");
  network.Add("--port", options.port, "The port to listen on; 0 is any that is free")
      ->check(Between(0, 65535));

  const OptionGroup trust{command, "Who may ask"};
  trust.Add("--api-key-file", options.api_key_file,
            "Keys that clients need, one a line, perhaps with limits behind it: name=teamA "
            "requests_per_minute=60 tokens_per_minute=100000 concurrent=4 priority=1. Without it "
            "anyone may ask. SIGHUP reads it again");
  trust.Add("--member-key-file", options.member_key_file,
            "Keys of gateways, one a line, for what is below /switchyard/v1/: state, drain and "
            "more. Without it none of that is there. SIGHUP reads it again");
  trust.Add("--tls-cert", options.tls_cert,
            "Serve HTTPS with this certificate, a PEM file, its chain behind it. SIGHUP reads it "
            "again");
  trust.Add("--tls-key", options.tls_key, "The certificate's key, a PEM file");
  trust.Add("--tls-client-ca", options.tls_client_ca,
            "Clients must show a certificate of one of these authorities, a PEM file");

  const OptionGroup limits{command, "Limits"};
  limits.Add("--max-running", options.max_running, "Requests in the batch at most")
      ->check(Between(std::int64_t{1}, kMaxRunning));
  limits
      .Add("--step-budget-ms", options.step_budget_ms,
           "What a step that decodes may take: prompts beside it get what fits, or what lets it "
           "take four times as long as decoding alone if that is more. Less keeps answers "
           "fluent, more begins them sooner; 0: prompts first, by whole chunks")
      ->check(Between(0.0, 60'000.0));
  limits
      .Add("--kv-pages", options.kv_pages,
           "Pages of the KV cache, of 32 tokens or what the chip wants; 0: enough for all that "
           "run at full context, or for 16 of them")
      ->check(Between(std::int64_t{0}, std::int64_t{1} << 31));
  limits.AddFlag("--deterministic", options.deterministic,
                 "No text depends on what else runs. On chips whose results depend on the batch "
                 "each request is then computed alone, which is slow where many run");
  limits.Add("--max-waiting", options.max_waiting, "Requests that wait at most; more get 429")
      ->check(Between(1, 1'000'000));
  limits.Add("--max-connections", options.max_connections, "Connections at most; more get 503")
      ->check(Between(1, 1'000'000));
  limits.Add("--max-body-mib", options.max_body_mib, "A request's body at most, in MiB")
      ->check(Between(1, 4096));

  limits
      .Add("--request-seconds", options.request_seconds,
           "What a request may take from its arrival to its end; then 504. 0: no limit")
      ->check(Between(std::int64_t{0}, kLongest));
  limits
      .Add("--queue-seconds", options.queue_seconds,
           "What a request may wait until it begins; then 503. 0: no limit")
      ->check(Between(std::int64_t{0}, kLongest));
  limits
      .Add("--heartbeat-seconds", options.heartbeat_seconds,
           "A stream that is silent so long gets a comment, so that nobody on the way gives it "
           "up. 0: never")
      ->check(Between(std::int64_t{0}, kLongest));

  const OptionGroup life{command, "Start and stop"};
  life.Add("--ask", options.ask,
           "Once it serves, ask this over HTTP as a client does and show the answer. If the "
           "default port is taken it takes the next; without a terminal it then stops");
  life.Add("--drain-seconds", options.drain_seconds,
           "What runs may take so long to finish after SIGTERM or Ctrl-C")
      ->check(Between(std::int64_t{0}, kLongest));
  life.Add("--config", options.config,
           "Read options from this TOML file; what the command line says wins");
  life.AddFlag("--print-config", options.print_config,
               "Print such a file with every option and its default, and stop");

  AddMembershipOptions(command, options.membership);

  const OptionGroup logs{command, "Logs and traces"};
  logs.Add("--log-format", options.log_format, "How lines of log are written: logfmt or json")
      ->check(CLI::IsMember(std::vector<std::string>{"logfmt", "json"}));
  logs.Add("--log-level", options.log_level, "What is logged: error, warn, info or debug")
      ->check(CLI::IsMember(std::vector<std::string>{"error", "warn", "info", "debug"}));
  logs.AddFlag("--no-request-log", options.no_request_log, "No line for each request");
  logs.Add("--otlp-endpoint", options.otlp_endpoint,
           "Send OpenTelemetry traces by OTLP/HTTP to this collector, such as "
           "http://127.0.0.1:4318; else $OTEL_EXPORTER_OTLP_ENDPOINT");
}

base::Status Check(const ServeOptions& options) {
  if (options.session.model.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "which model? Write 'switchyard serve MODEL', such as smollm2, or model = \"…\" "
                "in the file of --config");
  }
  if (options.tls_cert.empty() != options.tls_key.empty() ||
      (options.tls_cert.empty() && !options.tls_client_ca.empty())) {
    return Fail(ErrorCode::kInvalidArgument,
                "TLS needs both --tls-cert and --tls-key; --tls-client-ca goes with them");
  }
  if (!options.membership.gateways.empty() && options.member_key_file.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "--gateway needs --member-key-file: with that key the gateway asks for the server's "
        "state");
  }
  if (!options.membership.gateways.empty() && options.membership.url.empty() &&
      ListensEverywhere(options)) {
    return Fail(ErrorCode::kInvalidArgument,
                "--host {} is no address at which a gateway could reach this server: say one with "
                "--member-url, such as http://THIS_HOST:{}",
                options.host, options.port);
  }
  if (!options.ask.empty() && !options.tls_client_ca.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--ask has no certificate to show to a server with --tls-client-ca; leave one out");
  }
  return {};
}

}  // namespace switchyard::cli
