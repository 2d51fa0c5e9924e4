// The server on a scripted engine, for the suites in this folder: the fake answers with fixed text,
// so that they need neither model nor chip. Prints its port, serves until standard input ends.
//   switchyard_scripted_server [KEY]
#include <cstdio>
#include <iostream>

#include "server/api_server.h"
#include "tests/support/scripted_engine.h"

int main(int argc, char** argv) {
  using namespace switchyard;
  server::ScriptedEngine engine;
  engine.answer = "One two three, said the scripted engine.";
  engine.context = 4096;
  const std::string call =
      "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bonn\"}}\n</tool_call>";
  engine.answers = {{"tool:rain", "It rains."},
                    {"one call", call},
                    {"two calls", "Both.\n" + call + "\n" + call},
                    {"a broken call", "<tool_call>get_weather(Bonn)</tool_call>"},
                    {"a thought", "<think>\nHm.\n</think>\n\nSo."}};
  server::BytesText text;
  text.template_traits.reasoning = protocol::ReasoningMarks{"<think>", "</think>"};
  server::ApiServerOptions options;
  options.model = "scripted";
  options.version = "test";
  if (argc > 1) {
    auto keys = access::ApiKeys::Parse(argv[1]);
    if (!keys) return 2;
    options.keys = std::move(*keys);
  }
  server::ApiServer api(std::move(options), engine, text);
  net::HttpServerOptions limits;
  limits.header_timeout = std::chrono::milliseconds(1000);
  limits.body_timeout = std::chrono::milliseconds(2000);
  limits.body_limit_bytes = 1 << 20;
  limits.error_body = [](int status, std::string_view message) {
    return protocol::ErrorBody({status, std::string(message)});
  };
  auto http = net::HttpServer::Start(limits, [&api](net::HttpRequest request, auto responder) {
    api.Serve(std::move(request), std::move(responder));
  });
  if (!http) return 1;
  fmt::print("{}\n", (*http)->port());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
  }
  (*http)->Stop();
  return 0;
}
