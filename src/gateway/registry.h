// Members that register themselves and renew their lease: whoever does not is gone from the fleet
// when it runs out. One small interface for what is kept in this process and for what several
// gateways share. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "gateway/fleet.h"
#include "net/event_loop.h"

namespace switchyard::gateway {

class Registry {
 public:
  virtual ~Registry() = default;

  // Called once, perhaps on another thread, perhaps before the call returns.
  using Done = std::function<void(base::Status)>;
  // Registers or renews; the lease is the configuration's.
  virtual void Register(MemberConfig member, Done done) = 0;
  // It goes by itself.
  virtual void Remove(std::string name, Done done) = 0;
};

// In this process only. Leases are measured by a clock that nobody sets. `loop` and `fleet` outlive
// it; not to be destroyed on the loop's thread.
std::unique_ptr<Registry> StartEmbeddedRegistry(net::EventLoop& loop, Fleet& fleet);

}  // namespace switchyard::gateway
