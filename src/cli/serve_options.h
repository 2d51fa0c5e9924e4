// What `switchyard serve` may be told: one list of options, for the command line, its help, and the
// configuration file (serve_config.h), which derives its keys from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/member_facts.h"
#include "cli/model_session.h"

namespace CLI {
class App;
}  // namespace CLI

namespace switchyard::cli {

// Where the server is a member, and what gateways are told of it.
struct MembershipOptions {
  std::vector<std::string> gateways;
  std::string gateway_key_file;
  std::string gateway_ca_file;
  std::string name;
  std::string url;
  MemberFacts facts;
};

struct ServeOptions {
  SessionOptions session;
  std::vector<std::string> chips;
  std::vector<std::string> certificates;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string api_key_file;
  std::string member_key_file;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string served_name;
  std::int64_t max_waiting = 1024;
  std::int64_t max_running = 64;
  double step_budget_ms = 50;
  std::int64_t kv_pages = 0;
  bool deterministic = false;
  std::size_t max_connections = 1024;
  std::size_t max_body_mib = 32;
  std::int64_t request_seconds = 0;
  std::int64_t queue_seconds = 0;
  std::int64_t heartbeat_seconds = 15;
  std::int64_t drain_seconds = 30;
  bool no_request_log = false;
  std::string log_format = "logfmt";
  std::string log_level = "info";
  std::string otlp_endpoint;
  MembershipOptions membership;
  std::string ask;
  std::string config;
  bool print_config = false;
};

// `options` must live as long as `command`.
void AddServeOptions(CLI::App& command, ServeOptions& options);

// Whether it listens on each of the machine's addresses, so that none of them is its own.
bool ListensEverywhere(const ServeOptions& options);

// What no option alone can tell.
base::Status Check(const ServeOptions& options);

}  // namespace switchyard::cli
