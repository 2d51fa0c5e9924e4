#include "cli/resource_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/metric_text.h"

namespace switchyard::cli {
namespace {

// The numbers of /proc/self/stat behind the program's name, which may hold anything: proc(5)'s
// fields from the third on.
std::vector<double> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  std::string state;
  rest >> state;
  std::vector<double> fields;
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

// When the machine started, in seconds since 1970.
double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double boot = 0;
    if (word == "btime" && file >> boot) return boot;
  }
  return 0;
}

std::string One(std::string_view name, std::string_view type, std::string_view help, double value) {
  return fmt::format("{}{} {:.15g}\n", base::MetricHead(name, type, help), name, value);
}

}  // namespace

std::string ResourceMetrics() {
  std::string text;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  // Counted from proc(5)'s fourth field: 14 and 15 are the times, 22 the start, 23 and 24 memory.
  constexpr std::size_t kUserTime = 10, kSystemTime = 11, kThreads = 16, kStart = 18, kVirtual = 19,
                        kResident = 20;
  const std::vector<double> fields = StatFields();
  if (fields.size() > kResident) {
    text += One("process_cpu_seconds_total", "counter", "Processor time, user and system.",
                (fields[kUserTime] + fields[kSystemTime]) / ticks);
    text += One("process_threads", "gauge", "Threads.", fields[kThreads]);
    text += One("process_start_time_seconds", "gauge", "When it started, since 1970.",
                BootTime() + fields[kStart] / ticks);
    text += One("process_virtual_memory_bytes", "gauge", "Virtual memory.", fields[kVirtual]);
    text += One("process_resident_memory_bytes", "gauge", "Memory in use.",
                fields[kResident] * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  if (!error) {
    const auto count = std::distance(begin(open), end(open)) - 1;  // without the look itself
    text += One("process_open_fds", "gauge", "Open files.", static_cast<double>(count));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    text +=
        One("process_max_fds", "gauge", "Open files at most.", static_cast<double>(limit.rlim_cur));
  }
  return text;
}

}  // namespace switchyard::cli
