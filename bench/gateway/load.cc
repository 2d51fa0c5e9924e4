// Asks a gateway, over connections that stay open, and tells how long answers took.
//
//   switchyard_gateway_load URL CONNECTIONS SECONDS < body > times.json   each asks again and again
//   switchyard_gateway_load URL CONNECTIONS SECONDS@RATE < body > ...     so many a second in all
//   switchyard_gateway_load URL STREAMS 0 < body > times.json             one streamed answer each
//
// Further arguments are headers, "name: value".
//
// At a rate, requests come each millisecond, whether those before are answered or not; one for which
// no connection is free waits, and its time counts from when it came.
//
// A streamed answer's tokens are its events with content; a gap is the time between two of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/event_loop.h"
#include "net/http_client.h"
#include "net/sse_reader.h"

namespace switchyard::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

double MillisecondsSince(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

class Asking;

struct Load {
  net::EventLoop& loop;
  net::HttpClient& client;
  net::HttpOrigin origin;
  std::shared_ptr<const std::string> body;
  net::HttpHeaders headers;
  bool repeats = false;
  Clock::time_point end = {};
  double rate = 0;  // requests a second; 0: as soon as the last is answered
  // The loop's.
  std::vector<std::shared_ptr<Asking>> idle = {};
  std::deque<Clock::time_point> waiting = {};  // when they came
  double come = 0;
  std::unique_ptr<net::LoopTimer> ticks = {};
  std::size_t running = 0;
  std::vector<double> whole_ms = {};  // of answers
  std::vector<double> first_ms = {};  // to the first token
  std::vector<double> gaps_ms = {};
  std::vector<std::size_t> tokens = {};  // of each answer
  std::map<std::string, int> failures = {};
  std::mutex mutex = {};
  std::condition_variable over = {};
};

class Asking final : public net::CallListener, public std::enable_shared_from_this<Asking> {
 public:
  explicit Asking(Load& load) : load_(load) {}

  void Ask(Clock::time_point came = Clock::now()) {
    asked_ = last_ = came;
    tokens_ = 0;
    status_ = 0;
    reader_ = net::SseReader();
    is_stream_ = false;
    net::CallRequest request{.target = "/v1/chat/completions"};
    request.headers = load_.headers;
    request.body = {*load_.body};
    request.keeper = load_.body;
    request.times = {.head = milliseconds(60'000), .silence = milliseconds(60'000)};
    call_ = load_.client.Send(load_.origin, std::move(request), shared_from_this());
  }

  void OnHead(net::CallHead head) override {
    status_ = head.status;
    is_stream_ = head.Header("content-type").starts_with("text/event-stream");
  }
  void OnBody(std::string_view piece) override {
    if (!is_stream_) return;
    const auto status = reader_.Push(piece, [this](const net::SseEvent& event) {
      if (event.data.find("\"content\":\" token") != std::string_view::npos ||
          event.data.find("\"content\": \" token") != std::string_view::npos) {
        Token();
      }
      return true;
    });
    if (!status) ++load_.failures["a stream that is none"];
  }
  void OnEnd() override {
    if (status_ != 200) ++load_.failures[fmt::format("status {}", status_)];
    load_.whole_ms.push_back(MillisecondsSince(asked_));
    if (is_stream_) load_.tokens.push_back(tokens_);
    Next();
  }
  void OnFailure(net::CallFailure failure) override {
    ++load_.failures[failure.error.message];
    Next();
  }

 private:
  void Token() {
    const double ms = MillisecondsSince(last_);
    (tokens_ == 0 ? load_.first_ms : load_.gaps_ms).push_back(ms);
    last_ = Clock::now();
    ++tokens_;
  }
  void Next() {
    if (load_.rate > 0) {
      load_.idle.push_back(shared_from_this());
      return;
    }
    if (load_.repeats && Clock::now() < load_.end) {
      // Not from within the call that ends.
      load_.loop.Post([self = shared_from_this()] { self->Ask(); });
      return;
    }
    const std::lock_guard lock(load_.mutex);
    if (--load_.running == 0) load_.over.notify_all();
  }

  Load& load_;
  std::unique_ptr<net::HttpCall> call_;
  net::SseReader reader_;
  Clock::time_point asked_;
  Clock::time_point last_;
  std::size_t tokens_ = 0;
  int status_ = 0;
  bool is_stream_ = false;
};

// What comes in a millisecond, to those who are free.
void Tick(Load& load, Clock::time_point begun) {
  const auto now = Clock::now();
  if (now < load.end) {
    const double due = std::chrono::duration<double>(now - begun).count() * load.rate;
    for (; load.come < due; ++load.come) load.waiting.push_back(now);
  }
  while (!load.waiting.empty() && !load.idle.empty()) {
    const auto free = std::move(load.idle.back());
    load.idle.pop_back();
    free->Ask(load.waiting.front());
    load.waiting.pop_front();
  }
  if (now >= load.end && load.waiting.empty() && load.idle.size() == load.running) {
    const std::lock_guard lock(load.mutex);
    load.idle.clear();
    load.running = 0;
    load.over.notify_all();
    return;
  }
  load.ticks->Start(milliseconds(1), [&load, begun] { Tick(load, begun); });
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) quoted += c;
  }
  return quoted + '"';
}

int Main(int argc, char** argv) {
  const auto origin = argc >= 4 ? net::ParseOrigin(argv[1]) : net::ParseOrigin("");
  if (!origin) {
    fmt::print(stderr, "usage: {} URL CONNECTIONS SECONDS[@RATE] [HEADER...] < body\n", argv[0]);
    return 2;
  }
  const auto connections = static_cast<std::size_t>(std::atoi(argv[2]));
  const double seconds = std::atof(argv[3]);
  const std::size_t at = std::string_view(argv[3]).find('@');
  const auto body = std::make_shared<const std::string>(std::istreambuf_iterator<char>(std::cin),
                                                        std::istreambuf_iterator<char>());
  net::HttpHeaders headers{{"Content-Type", "application/json"}, {"Authorization", "Bearer none"}};
  for (int i = 4; i < argc; ++i) {
    const std::string_view header(argv[i]);
    const std::size_t colon = header.find(": ");
    if (colon == std::string_view::npos) continue;
    headers.emplace_back(header.substr(0, colon), header.substr(colon + 2));
  }
  const auto loop = net::EventLoop::Create();
  std::unique_ptr<net::HttpClient> client;
  net::HttpClientOptions options;
  options.idle_connections_each = 4096;
  loop->Run([&] { client = std::move(*net::HttpClient::Create(*loop, options)); });
  const auto begun = Clock::now();
  Load load{.loop = *loop, .client = *client, .origin = *origin, .body = body, .headers = headers};
  load.repeats = seconds > 0;
  load.end =
      begun + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  load.running = connections;
  if (at != std::string_view::npos) load.rate = std::atof(argv[3] + at + 1);
  if (load.rate > 0) {
    loop->Run([&] {
      load.ticks = loop->NewTimer();
      for (std::size_t i = 0; i < connections; ++i) {
        load.idle.push_back(std::make_shared<Asking>(load));
      }
      Tick(load, begun);
    });
  }
  for (std::size_t i = 0; load.rate == 0 && i < connections; ++i) {
    // Streams begin over one second, as in life.
    if (!load.repeats) std::this_thread::sleep_for(milliseconds(1000) / connections);
    loop->Post([&load] { std::make_shared<Asking>(load)->Ask(); });
  }
  {
    std::unique_lock lock(load.mutex);
    load.over.wait(lock, [&] { return load.running == 0; });
  }
  const double took_s = MillisecondsSince(begun) / 1000;
  loop->Run([&] {
    load.ticks.reset();
    client.reset();
  });
  std::vector<std::string> failures;
  for (const auto& [what, count] : load.failures) {
    failures.push_back(fmt::format("{}:{}", Quoted(what), count));
  }
  fmt::print(R"({{"seconds":{:.3f},"whole_ms":[{:.3f}],"first_ms":[{:.3f}],"gaps_ms":[{:.3f}],)"
             R"("tokens":[{}],"failures":{{{}}}}})",
             took_s, fmt::join(load.whole_ms, ","), fmt::join(load.first_ms, ","),
             fmt::join(load.gaps_ms, ","), fmt::join(load.tokens, ","), fmt::join(failures, ","));
  return 0;
}

}  // namespace
}  // namespace switchyard::bench

int main(int argc, char** argv) { return switchyard::bench::Main(argc, argv); }
