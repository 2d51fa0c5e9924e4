// The upstream that bench/gateway.py measures gateways before: it answers OpenAI's chat completions
// at once, or streams tokens at a steady pace, and computes nothing. A part of the benchmark only.
//
//   switchyard_gateway_stub PORT PACE_MS       prints "ready" when it serves
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "net/event_loop.h"
#include "net/http_server.h"

namespace switchyard::bench {
namespace {

constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"stub","object":"model","created":1,"owned_by":"stub",)"
    R"("max_model_len":1000000}]})";

std::int64_t NumberAfter(std::string_view body, std::string_view key, std::int64_t otherwise) {
  const std::size_t at = body.rfind(key);  // behind the messages, which may be long
  if (at == std::string_view::npos) return otherwise;
  std::size_t begin = at + key.size();
  while (begin < body.size() && (body[begin] == ' ' || body[begin] == ':')) ++begin;
  std::int64_t number = otherwise;
  std::from_chars(body.data() + begin, body.data() + body.size(), number);
  return number;
}

bool IsStream(std::string_view body) {
  return body.find("\"stream\":true") != std::string_view::npos ||
         body.find("\"stream\": true") != std::string_view::npos;
}

std::string Chunk(std::string_view delta, std::string_view finish) {
  return fmt::format(
      "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":"
      "\"stub\",\"choices\":[{{\"index\":0,\"delta\":{{{}}},\"finish_reason\":{}}}]}}\n\n",
      delta, finish);
}

// One streamed answer: a token each `pace`, or all at once.
struct Stream : std::enable_shared_from_this<Stream> {
  std::shared_ptr<net::HttpResponder> responder;
  std::int64_t left = 0;
  std::chrono::milliseconds pace{};
  std::chrono::steady_clock::time_point next = std::chrono::steady_clock::now();

  void Go() {
    responder->Write(Chunk("\"role\":\"assistant\",\"content\":\"\"", "null"));
    Tokens();
  }
  void Tokens() {
    while (left > 0) {
      responder->Write(Chunk("\"content\":\" token\"", "null"));
      if (--left > 0 && pace.count() > 0) return Wait();
    }
    responder->Write(Chunk("", "\"stop\"") + "data: [DONE]\n\n");
    responder->EndStream();
  }
  void Wait() {
    next += pace;
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(
        next - std::chrono::steady_clock::now());
    responder->After(std::max(time, std::chrono::milliseconds(0)),
                     [self = shared_from_this()] { self->Tokens(); });
  }
};

void Answer(const net::HttpRequest& request, const std::shared_ptr<net::HttpResponder>& responder,
            std::chrono::milliseconds pace) {
  if (request.method == "GET") {
    responder->Respond({.body = std::string(request.Path() == "/v1/models" ? kModels : "{}")});
    return;
  }
  const std::int64_t tokens = NumberAfter(request.body, "\"max_tokens\"", 16);
  if (IsStream(request.body)) {
    responder->BeginStream({.content_type = "text/event-stream"});
    const auto stream = std::make_shared<Stream>();
    stream->responder = responder;
    stream->left = tokens;
    stream->pace = pace;
    return stream->Go();
  }
  std::string text;
  for (std::int64_t i = 0; i < tokens; ++i) text += " token";
  responder->Respond(
      {.body = fmt::format(
           "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"stub\","
           "\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{}\"}},"
           "\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":8,\"completion_tokens\":{},"
           "\"total_tokens\":{}}}}}",
           text, tokens, tokens + 8)});
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} PORT PACE_MS\n", argv[0]);
    return 2;
  }
  const std::chrono::milliseconds pace(std::atoi(argv[2]));
  const auto loop = net::EventLoop::Create();
  net::HttpServerOptions options;
  options.loop = loop.get();
  options.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  options.max_connections = 4096;
  const auto server = net::HttpServer::Start(
      options, [pace](net::HttpRequest request, std::shared_ptr<net::HttpResponder> responder) {
        Answer(request, responder, pace);
      });
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message);
    return 1;
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace switchyard::bench

int main(int argc, char** argv) { return switchyard::bench::Main(argc, argv); }
