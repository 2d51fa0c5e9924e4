// What Prometheus's own clients tell of every process, under their names. Any thread.
#pragma once

#include <string>

namespace switchyard::cli {

// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds and so on; what the
// system does not tell is left out.
std::string ResourceMetrics();

}  // namespace switchyard::cli
