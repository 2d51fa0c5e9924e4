#include "server/trace_exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/metric_text.h"
#include "net/http_post.h"

namespace switchyard::server {

TraceExporter::TraceExporter(TraceExporterOptions options) : options_(std::move(options)) {
  thread_ = std::thread([this] { Loop(); });
}

TraceExporter::~TraceExporter() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void TraceExporter::Export(std::vector<Span> spans) {
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    // A request's spans go together or not at all.
    if (waiting_.size() + spans.size() > options_.queue) {
      dropped_ += spans.size();
      return;
    }
    std::ranges::move(spans, std::back_inserter(waiting_));
    is_full = waiting_.size() >= options_.batch;
  }
  if (is_full) wake_.notify_one();
}

void TraceExporter::Loop() {
  while (true) {
    std::vector<Span> batch;
    bool is_last = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, options_.delay,
                     [this] { return is_stopping_ || waiting_.size() >= options_.batch; });
      is_last = is_stopping_;
      const auto count = is_last ? waiting_.size() : std::min(waiting_.size(), options_.batch);
      const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
      batch.assign(std::move_iterator(waiting_.begin()), std::move_iterator(end));
      waiting_.erase(waiting_.begin(), end);
    }
    if (!batch.empty()) Send(batch);
    if (is_last) return;
  }
}

void TraceExporter::Send(const std::vector<Span>& batch) {
  net::HttpPostRequest post;
  post.url = options_.url;
  post.headers = options_.headers;
  post.headers.emplace_back("Content-Type: application/json");
  post.body = ToOtlpJson(batch, options_.resource, options_.version);
  post.connect_timeout = options_.timeout;
  post.total_timeout = options_.timeout;
  const auto status = net::HttpPost(post);
  if (status && *status >= 200 && *status < 300) {
    sent_ += batch.size();
    has_failed_ = false;
    return;
  }
  dropped_ += batch.size();
  if (options_.log && !std::exchange(has_failed_, true)) {
    const std::string why =
        status ? fmt::format("it answers with {}", *status) : status.error().message;
    options_.log({base::LogLevel::kWarn,
                  "traces are dropped",
                  {{"spans", static_cast<std::int64_t>(batch.size())}, {"why", why}}});
  }
}

std::string TraceExporter::Render() const {
  const auto one = [](std::string_view name, std::string_view help, auto value) {
    return fmt::format("{}{} {}\n", base::MetricHead(name, "counter", help), name, value);
  };
  return one("switchyard_trace_spans_sent_total", "Spans that the collector took.", sent_.load()) +
         one("switchyard_trace_spans_dropped_total", "Spans that could not be sent.",
             dropped_.load());
}

std::string TracesUrl(std::string endpoint) {
  constexpr std::string_view kPath = "/v1/traces";
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint.ends_with(kPath) ? endpoint : endpoint + std::string(kPath);
}

}  // namespace switchyard::server
