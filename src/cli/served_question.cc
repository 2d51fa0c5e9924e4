#include "cli/served_question.h"

#include <chrono>
#include <optional>

#include "base/json.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using Clock = std::chrono::steady_clock;

// Enough for an answer in a few sentences.
constexpr int kMaxTokens = 160;
constexpr std::size_t kShownBytes = 2000;  // of a refusal that is not JSON

// What the stream has told so far.
struct Stream {
  std::function<bool(std::string_view)> on_text;
  Clock::time_point asked = Clock::now();
  std::optional<Clock::time_point> first;
  Clock::time_point last;
  ServedAnswer answer;
  std::int64_t completion_tokens = 0;
  std::string failure;
  bool is_done = false;
  bool is_ended = false;  // by `on_text`

  void Take(std::string_view data) {
    if (data == "[DONE]") {
      is_done = true;
      return;
    }
    const auto event = base::Json::parse(data, nullptr, false);
    if (event.is_discarded() || !event.is_object()) {
      failure = "the stream holds an event that is not JSON";
    } else if (event.contains("error")) {
      failure = event["error"].value("message", "the answer failed");
    } else {
      TakeChoice(event);
      TakeUsage(event);
    }
  }

  void TakeChoice(const base::Json& event) {
    const auto choices = event.find("choices");
    if (choices == event.end() || choices->empty()) return;
    const base::Json& choice = choices->front();
    last = Clock::now();
    const std::string text = choice.value("/delta/content"_json_pointer, "");
    if (!text.empty()) {
      if (!first) first = last;
      is_ended = is_ended || !on_text(text);
    }
    const auto finish = choice.find("finish_reason");
    if (finish != choice.end() && finish->is_string()) answer.finish = finish->get<std::string>();
  }

  void TakeUsage(const base::Json& event) {
    const auto usage = event.find("usage");
    if (usage == event.end() || !usage->is_object()) return;
    const auto prompt = usage->value("prompt_tokens", std::int64_t{0});
    const auto cached =
        usage->value("/prompt_tokens_details/cached_tokens"_json_pointer, std::int64_t{0});
    completion_tokens = usage->value("completion_tokens", std::int64_t{0});
    answer.times.prefill_tokens = prompt - cached;
    answer.times.depth = prompt + completion_tokens;
  }

  void CountTimes() {
    const auto seconds = [](Clock::duration time) {
      return std::chrono::duration<double>(time).count();
    };
    answer.times.prefill_s = seconds(first.value_or(last) - asked);
    answer.times.decode_steps = std::max<std::int64_t>(0, completion_tokens - 1);
    answer.times.decode_s = seconds(last - first.value_or(last));
  }
};

std::string RefusalIn(const std::string& body) {
  const auto json = base::Json::parse(body, nullptr, false);
  if (!json.is_discarded() && json.is_object() && json.contains("error")) {
    return json["error"].value("message", body);
  }
  return body.substr(0, kShownBytes);
}

}  // namespace

std::string QuestionBody(std::string_view model, std::string_view question, bool stream) {
  base::Json body = {{"model", model}, {"messages", {{{"role", "user"}, {"content", question}}}}};
  if (stream) {
    body["temperature"] = 0;
    body["max_tokens"] = kMaxTokens;
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
  }
  return base::WriteJson(body);
}

std::string ShellQuoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += R"('\'')";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string CurlLine(const ServerAddress& server, const std::string& body) {
  std::string line =
      fmt::format("curl {}/v1/chat/completions -H 'Content-Type: application/json'", server.url);
  if (!server.key.empty()) line += " -H 'Authorization: Bearer YOUR_KEY'";
  if (!server.ca_file.empty()) line += " --cacert " + ShellQuoted(server.ca_file);
  return line + " -d " + ShellQuoted(body);
}

void EventReader::Read(std::string_view part, const Sink& sink) {
  pending_ += part;
  std::size_t begin = 0;
  for (std::size_t end = pending_.find('\n'); end != std::string::npos;
       end = pending_.find('\n', begin)) {
    std::string_view line = std::string_view(pending_).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Our server sends one line of data an event; what begins with ':' is a sign of life.
    constexpr std::string_view kField = "data: ";
    if (line.starts_with(kField)) sink(line.substr(kField.size()));
    begin = end + 1;
  }
  pending_.erase(0, begin);
}

base::Result<ServedAnswer> AskServer(const ServerAddress& server, const std::string& body,
                                     const std::function<bool(std::string_view)>& on_text) {
  Stream stream;
  stream.on_text = on_text;
  EventReader events;
  std::string whole;  // the beginning of the answer, for the case that it is a refusal
  net::HttpPostRequest post;
  post.url = server.url + "/v1/chat/completions";
  post.headers = {"Content-Type: application/json", "Accept: text/event-stream"};
  if (!server.key.empty()) post.headers.push_back("Authorization: Bearer " + server.key);
  post.body = body;
  post.ca_file = server.ca_file;
  post.check_host_name = false;
  post.use_proxy = false;
  post.on_body = [&](std::string_view part) {
    if (whole.size() < kShownBytes) whole += part;
    events.Read(part, [&](std::string_view data) { stream.Take(data); });
    return !stream.is_ended;
  };
  stream.asked = Clock::now();
  SWITCHYARD_TRY(const int status, net::HttpPost(post));
  if (status != 200) {
    return Fail(ErrorCode::kUnknown, "the server answers with {}: {}", status, RefusalIn(whole));
  }
  if (!stream.failure.empty()) return Fail(ErrorCode::kUnknown, "{}", stream.failure);
  if (!stream.is_done) {
    return Fail(ErrorCode::kUnavailable, "the server ended the answer before its end");
  }
  stream.CountTimes();
  return std::move(stream.answer);
}

}  // namespace switchyard::cli
