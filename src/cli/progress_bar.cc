#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace switchyard::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTerminalInterval{100};
constexpr seconds kPlainInterval{5};
// About how far back the shown rate looks.
constexpr double kRateMemory_s = 4.0;

std::size_t WidthOf(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatDuration(seconds duration) {
  const auto total = duration.count();
  if (total >= 3600) {
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  }
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string FormatProgress(const PullProgress& progress, double rate_bytes_per_s,
                           std::size_t width) {
  std::string numbers = FormatBytes(progress.received_bytes);
  double share = -1;
  if (progress.total_bytes && *progress.total_bytes > 0) {
    share = std::min(1.0, static_cast<double>(progress.received_bytes) /
                              static_cast<double>(*progress.total_bytes));
    numbers = fmt::format("{:3.0f} %  {} of {}", std::floor(share * 100), numbers,
                          FormatBytes(*progress.total_bytes));
  }
  if (rate_bytes_per_s >= 1) {
    numbers += fmt::format("  {}/s", FormatBytes(static_cast<std::uint64_t>(rate_bytes_per_s)));
    constexpr double kLongest_s = 100 * 3600.0;
    if (progress.total_bytes && *progress.total_bytes > progress.received_bytes) {
      const double left_s =
          static_cast<double>(*progress.total_bytes - progress.received_bytes) / rate_bytes_per_s;
      if (left_s < kLongest_s) {
        numbers += fmt::format("  {} left",
                               FormatDuration(seconds(static_cast<std::int64_t>(left_s + 0.5))));
      }
    }
  }
  // The name yields first, then the bar: the numbers are what one looks for.
  constexpr std::size_t kBar = 20;
  std::string line;
  std::size_t room = width > numbers.size() + 1 ? width - numbers.size() - 1 : 0;
  std::string bar;
  if (share >= 0 && room > kBar + 4) {
    const auto filled = static_cast<std::size_t>(share * kBar);
    bar = fmt::format("[{}{}]  ", std::string(filled, '#'), std::string(kBar - filled, '.'));
    room -= bar.size();
  }
  if (room > 8) {
    std::string name = progress.file;
    if (name.size() + 2 > room) name = name.substr(0, room - 5) + "...";
    line = name + "  ";
  }
  return line + bar + numbers;
}

ProgressBar::ProgressBar(std::FILE* stream)
    : stream_(stream), is_terminal_(::isatty(::fileno(stream)) == 1) {}

void ProgressBar::FollowRate(const PullProgress& progress, Clock::time_point now) {
  const std::chrono::duration<double> elapsed = now - rate_time_;
  // What was there before the first sight is not this connection's merit, nor is a restart.
  if (!last_ || progress.received_bytes < rate_bytes_) {
    rate_time_ = now;
    rate_bytes_ = progress.received_bytes;
    rate_bytes_per_s_ = 0;
    return;
  }
  constexpr double kShortest_s = 0.25;
  if (elapsed.count() < kShortest_s) return;
  const double current =
      static_cast<double>(progress.received_bytes - rate_bytes_) / elapsed.count();
  const double weight = 1 - std::exp(-elapsed.count() / kRateMemory_s);
  rate_bytes_per_s_ =
      rate_bytes_per_s_ > 0 ? rate_bytes_per_s_ + weight * (current - rate_bytes_per_s_) : current;
  rate_time_ = now;
  rate_bytes_ = progress.received_bytes;
}

void ProgressBar::Draw(const PullProgress& progress, Clock::time_point now) {
  last_shown_ = now;
  const std::string line =
      FormatProgress(progress, rate_bytes_per_s_, is_terminal_ ? WidthOf(stream_) : 80);
  if (is_terminal_) {
    fmt::print(stream_, "\r\x1b[K{}", line);
  } else {
    fmt::print(stream_, "{}\n", line);
  }
  std::fflush(stream_);
  is_drawn_ = true;
}

void ProgressBar::Update(const PullProgress& progress) {
  const Clock::time_point now = Clock::now();
  const bool is_first = !last_;
  FollowRate(progress, now);
  if (is_first) last_shown_ = now;
  last_ = progress;
  const Clock::duration interval =
      is_terminal_ ? Clock::duration(kTerminalInterval) : Clock::duration(kPlainInterval);
  if (now - last_shown_ >= interval) Draw(progress, now);
}

void ProgressBar::Say(std::string_view text) {
  if (is_terminal_ && is_drawn_) fmt::print(stream_, "\r\x1b[K");
  fmt::print(stream_, "{}\n", text);
  std::fflush(stream_);
}

void ProgressBar::Finish() {
  if (!last_) return;
  Draw(*last_, Clock::now());
  if (is_terminal_) fmt::print(stream_, "\n");
  last_.reset();
  is_drawn_ = false;
}

}  // namespace switchyard::cli
