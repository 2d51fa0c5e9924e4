// Sends spans to a collector by OTLP/HTTP, in batches, from a thread of its own. Export never
// blocks: what the collector is too slow for is dropped and counted. Any thread may export.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "server/otlp.h"

namespace switchyard::server {

struct TraceExporterOptions {
  std::string url;                   // of the collector, "http://host:4318/v1/traces"
  std::vector<std::string> headers;  // "Name: value"
  SpanAttributes resource;
  std::string version;
  std::size_t queue = 4096;  // spans that wait at most
  std::size_t batch = 256;
  std::chrono::milliseconds delay{1000};  // a batch that is not full is sent after so long
  std::chrono::milliseconds timeout{10'000};
  base::LogSink log;  // told of the first failure of a row; null: nobody
};

class TraceExporter {
 public:
  explicit TraceExporter(TraceExporterOptions options);
  // Tries once to send what waits.
  ~TraceExporter();
  TraceExporter(const TraceExporter&) = delete;
  TraceExporter& operator=(const TraceExporter&) = delete;

  void Export(std::vector<Span> spans);
  // For GET /metrics.
  std::string Render() const;

 private:
  void Loop();
  void Send(const std::vector<Span>& batch);

  const TraceExporterOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Span> waiting_;  // guarded by `mutex_`
  bool is_stopping_ = false;   // guarded by `mutex_`
  bool has_failed_ = false;    // of the thread alone
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::thread thread_;  // last: it uses all the others
};

// Where a collector of this base address takes traces: "http://host:4318" and ".../" get
// "v1/traces", as OpenTelemetry's own programs do.
std::string TracesUrl(std::string endpoint);

}  // namespace switchyard::server
