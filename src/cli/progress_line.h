// Says how far long work has come: on a terminal one line that is drawn over, elsewhere a plain
// line every few seconds. Writes to standard error. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace switchyard::cli {

class ProgressLine {
 public:
  explicit ProgressLine(std::FILE* stream);
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Update(std::string_view what, std::int64_t done, std::int64_t total);
  // Takes the line away, before other text is written.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::FILE* stream_;
  bool is_terminal_;
  bool is_drawn_ = false;
  Clock::time_point last_shown_;
};

}  // namespace switchyard::cli
