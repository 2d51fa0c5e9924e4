// Puts a server under load and writes down when each piece of each answer came.
//
//   switchyard_serve_load PORT STREAMS < requests > times.json
//
// A line of input is "SECONDS<tab>BODY": a body of POST /v1/completions, and when it is sent. With
// STREAMS > 0 so many clients take the requests in turn, each the next one when its answer has
// ended, and SECONDS mean nothing (a closed loop). With STREAMS = 0 each request is sent at its
// time, however many are under way (an open loop).
//
// Each request has a connection of its own: servers differ in when they close one.
//
// One thread that sleeps until bytes come, as it shares the cores with the server; cpu_s says what
// it took.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "answer_reader.h"

namespace switchyard::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than any answer takes: what is silent for so long has failed.
constexpr double kSilence_s = 120;

struct Request {
  double at_s = 0;
  std::string body;
};

// One request under way.
struct Client {
  explicit Client(Answer& its) : answer(its), reader(its) {}
  int socket = -1;
  Answer& answer;
  AnswerReader reader;
};

class Load {
 public:
  Load(std::uint16_t port, std::size_t streams, std::vector<Request> requests)
      : port_(port),
        streams_(streams),
        requests_(std::move(requests)),
        answers_(requests_.size()),
        epoll_(::epoll_create1(0)) {}
  ~Load() {
    for (const auto& [client, owned] : clients_) ::close(client->socket);
    ::close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Run() {
    start_ = Clock::now();
    double heard_s = 0;
    while (ended_ < requests_.size()) {
      SendWhatIsDue();
      std::array<epoll_event, 64> events{};
      const int count =
          ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), WaitMs());
      const double now_s = Now();
      for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
        Read(*static_cast<Client*>(events[i].data.ptr), now_s);
      }
      if (count > 0) heard_s = now_s;
      if (now_s - heard_s > kSilence_s) break;
    }
  }

  void Write() const {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    fmt::print("{{\"wall_s\":{:.4f},\"cpu_s\":{:.4f},\"answers\":[", Now(),
               seconds(used.ru_utime) + seconds(used.ru_stime));
    const char* separator = "\n";
    for (const Answer& answer : answers_) {
      fmt::print("{}{{\"status\":{},\"sent_s\":{:.5f},\"ended_s\":{:.5f},\"prompt_tokens\":{},"
                 "\"cached_tokens\":{},\"completion_tokens\":{},\"text_s\":[",
                 separator, answer.status, answer.sent_s, answer.ended_s, answer.prompt_tokens,
                 answer.cached_tokens, answer.completion_tokens);
      const char* comma = "";
      for (const double at_s : answer.text_s) {
        fmt::print("{}{:.5f}", std::exchange(comma, ","), at_s);
      }
      fmt::print("]}}");
      separator = ",\n";
    }
    fmt::print("]}}\n");
  }

  // The first answer that is not whole, in words.
  std::string Fault() const {
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      const Answer& answer = answers_[i];
      if (answer.status == 200 && answer.fault.empty() && answer.ended_s > 0) continue;
      return fmt::format("request {} has no whole answer (status {}): {}", i, answer.status,
                         answer.fault.empty() ? "the server fell silent" : answer.fault);
    }
    return {};
  }

 private:
  double Now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void SendWhatIsDue() {
    while (next_ < requests_.size()) {
      if (streams_ == 0 ? requests_[next_].at_s > Now() : clients_.size() == streams_) return;
      Send(next_++);
    }
  }

  void Send(std::size_t index) {
    Answer& answer = answers_[index];
    auto owned = std::make_unique<Client>(answer);
    Client& client = *owned;
    clients_.emplace(&client, std::move(owned));
    // In an open loop a request that could not be sent in time has waited since then.
    answer.sent_s = streams_ == 0 ? requests_[index].at_s : Now();
    client.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(client.socket, to, sizeof address) != 0) {
      return End(client, fmt::format("cannot connect: {}", std::strerror(errno)));
    }
    const std::string& body = requests_[index].body;
    const std::string bytes = fmt::format(
        "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n\r\n{}",
        body.size(), body);
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t size =
          ::send(client.socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return End(client, fmt::format("cannot send: {}", std::strerror(errno)));
      sent += static_cast<std::size_t>(size);
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &client;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.socket, &event);
  }

  void Read(Client& client, double now_s) {
    std::array<char, 16384> bytes;
    const ssize_t size = ::recv(client.socket, bytes.data(), bytes.size(), 0);
    if (size <= 0) return End(client, "the connection broke");
    const bool is_whole =
        client.reader.Push({bytes.data(), static_cast<std::size_t>(size)}, now_s);
    if (is_whole) client.answer.ended_s = now_s;
    if (is_whole || !client.answer.fault.empty()) End(client, {});
  }

  void End(Client& client, std::string fault) {
    if (!fault.empty()) client.answer.fault = std::move(fault);
    ::close(client.socket);
    clients_.erase(&client);
    ++ended_;
  }

  int WaitMs() const {
    if (streams_ > 0 || next_ == requests_.size()) return 1000;
    const double left_ms = (requests_[next_].at_s - Now()) * 1000;
    return left_ms <= 0 ? 0 : static_cast<int>(left_ms) + 1;
  }

  std::uint16_t port_;
  std::size_t streams_;  // 0: an open loop
  std::vector<Request> requests_;
  std::vector<Answer> answers_;  // by request
  int epoll_;
  std::unordered_map<Client*, std::unique_ptr<Client>> clients_;
  std::size_t next_ = 0;
  std::size_t ended_ = 0;
  Clock::time_point start_ = Clock::now();
};

std::optional<std::vector<Request>> ReadRequests() {
  std::vector<Request> requests;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t tab = line.find('\t');
    Request request;
    const auto [at, error] = std::from_chars(line.data(), line.data() + line.size(), request.at_s);
    if (tab == std::string::npos || error != std::errc() || at != line.data() + tab) {
      fmt::print(stderr, "line {} is not SECONDS<tab>BODY\n", requests.size() + 1);
      return std::nullopt;
    }
    request.body = line.substr(tab + 1);
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace
}  // namespace switchyard::bench

int main(int argc, char** argv) {
  using namespace switchyard::bench;
  std::uint16_t port = 0;
  std::size_t streams = 0;
  const auto read = [](const char* text, auto& value) {
    const char* const end = text + std::strlen(text);
    return std::from_chars(text, end, value).ptr == end;
  };
  if (argc != 3 || !read(argv[1], port) || !read(argv[2], streams)) {
    fmt::print(stderr, "usage: {} PORT STREAMS < requests > times.json\n", argv[0]);
    return 2;
  }
  auto requests = ReadRequests();
  if (!requests) return 2;
  Load load(port, streams, std::move(*requests));
  load.Run();
  load.Write();
  if (const std::string fault = load.Fault(); !fault.empty()) {
    fmt::print(stderr, "{}\n", fault);
    return 1;
  }
  return 0;
}
