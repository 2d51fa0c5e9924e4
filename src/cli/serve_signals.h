// The signals that a server lives by: SIGINT and SIGTERM ask it to stop, a second one at once;
// SIGHUP asks it to read its files again, unless a terminal's end sends it. One at a time in a
// process; it waits on the thread that made it.
#pragma once

#include <signal.h>

#include <chrono>
#include <optional>

namespace switchyard::cli {

enum class ServeSignal { kStop, kReload };

class ServeSignals {
 public:
  // Whether a terminal holds the program: if that is closed, the program is to stop.
  explicit ServeSignals(bool has_terminal);
  ~ServeSignals();
  ServeSignals(const ServeSignals&) = delete;
  ServeSignals& operator=(const ServeSignals&) = delete;

  // The next one, which is taken; several that ask to reload are one.
  ServeSignal Wait();
  // None: nothing came within that time.
  std::optional<ServeSignal> Wait(std::chrono::milliseconds limit);
  // Whether one to stop has come that nobody has taken. Any thread.
  bool IsAskedToStop() const;

 private:
  struct sigaction interrupt_before_{};
  struct sigaction terminate_before_{};
  struct sigaction hang_up_before_{};
};

}  // namespace switchyard::cli
