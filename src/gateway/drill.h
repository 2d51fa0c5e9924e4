// A rehearsal of a loss: what is named is taken out for some time under whatever load there is,
// its answers in progress are cut off as if it had died, and the report says what users felt before
// and meanwhile. One at a time. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gateway/felt_log.h"
#include "gateway/fleet.h"
#include "net/event_loop.h"

namespace switchyard::gateway {

class Drill {
 public:
  // All outlive it; not to be destroyed on the loop's thread. What is out comes back then.
  Drill(net::EventLoop& loop, Fleet& fleet, const FeltLog& felt);
  ~Drill();

  // `what` as an order names it. kFailedPrecondition while one runs, or if nothing that
  // is meant is there; kAborted if nobody would be left who serves a model of those.
  base::Status Begin(std::string what, std::chrono::seconds time, std::string actor);
  // Of the drill that runs, or of the last; null if there was none.
  base::Json Report() const;

 private:
  struct Run {
    std::string what;
    std::string actor;
    std::vector<std::string> members;
    std::size_t cut = 0;  // answers in progress
    double time_s = 0;
    double begin_s = 0;
    bool is_over = false;
    FeltReport before;
    FeltReport during;
  };
  void End();

  net::EventLoop& loop_;
  Fleet& fleet_;
  const FeltLog& felt_;
  std::unique_ptr<net::LoopTimer> timer_;  // the loop's
  mutable std::mutex mutex_;
  std::optional<Run> run_;  // guarded by `mutex_`
};

base::Json ToJson(const FeltReport& report);

}  // namespace switchyard::gateway
