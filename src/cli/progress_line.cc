#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

namespace switchyard::cli {

ProgressLine::ProgressLine(std::FILE* stream)
    : stream_(stream), is_terminal_(::isatty(::fileno(stream)) != 0), last_shown_(Clock::now()) {}

void ProgressLine::Update(std::string_view what, std::int64_t done, std::int64_t total) {
  using std::chrono::milliseconds;
  const auto now = Clock::now();
  if (now - last_shown_ < (is_terminal_ ? milliseconds(100) : milliseconds(2000))) return;
  last_shown_ = now;
  const std::int64_t percent = total > 0 ? 100 * done / total : 0;
  if (is_terminal_) {
    fmt::print(stream_, "\r\x1b[K{}: {} of {} ({} %)", what, done, total, percent);
    is_drawn_ = true;
  } else {
    fmt::print(stream_, "{}: {} of {} ({} %)\n", what, done, total, percent);
  }
  std::fflush(stream_);
}

void ProgressLine::Clear() {
  if (is_drawn_) fmt::print(stream_, "\r\x1b[K");
  is_drawn_ = false;
}

}  // namespace switchyard::cli
