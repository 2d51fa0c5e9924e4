// A server's membership in the fleets of gateways: registers at each of them and renews from a
// thread of its own, and goes when it ends. A gateway that is away or refuses is asked again and
// again; the server serves meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/gateway_calls.h"

namespace switchyard::cli {

class FleetMembership {
 public:
  // `member` as docs/fleet.md describes a registration. `log` is called from the threads.
  FleetMembership(std::vector<GatewayAddress> gateways, base::Json member, base::LogSink log);
  // Leaves, unless it has left.
  ~FleetMembership();

  // Nothing new is to come; waits until each gateway has been told, for a few seconds at most.
  void Leave();

  // What a gateway said to a first registration that asking again will hardly change: it is wrong,
  // or has no right.
  std::optional<base::Error> refusal() const;

 private:
  void Renew(const GatewayAddress& address);
  void Refused(const base::Error& error);
  // False: it is over.
  bool WaitFor(std::chrono::milliseconds time);

  const base::Json member_;
  const base::LogSink log_;
  mutable std::mutex mutex_;
  std::condition_variable over_;
  // Guarded by `mutex_`.
  bool is_over_ = false;
  std::optional<base::Error> refusal_;
  std::vector<std::thread> threads_;
};

}  // namespace switchyard::cli
