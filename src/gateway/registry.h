// Members that register themselves and renew their lease: whoever does not is gone from the fleet
// when it runs out. One small interface for what is kept in this process and for what several
// gateways share. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "gateway/fleet.h"
#include "net/event_loop.h"

namespace switchyard::gateway {

class Registry {
 public:
  virtual ~Registry() = default;

  // Called once, perhaps on another thread, perhaps before the call returns.
  using Done = std::function<void(base::Status)>;
  // Registers or renews; the lease is the configuration's. `actor`: whose key asks for it.
  virtual void Register(MemberConfig member, std::string actor, Done done) = 0;
  // It goes by itself.
  virtual void Remove(std::string name, std::string actor, Done done) = 0;
  // Tells the fleet's other gateways of an order as this one's fleet obeyed it. After an error it
  // is tried again until they know.
  virtual void Share(FleetOrder order, Done done) = 0;
};

// All of them: `loop` and `fleet` outlive it; not to be destroyed on the loop's thread.

// In this process only. Leases are measured by a clock that nobody sets.
std::unique_ptr<Registry> StartEmbeddedRegistry(net::EventLoop& loop, Fleet& fleet);

// In etcd, for gateways on many hosts: a member may register and renew at any of them, and all see
// it; orders given to one hold at all, and so do those that the fleet was told before. While etcd
// is away the fleet stays as it was last seen, and registrations fail. Keys of members lie in etcd:
// who reads it can ask them.
std::unique_ptr<Registry> StartEtcdRegistry(net::EventLoop& loop, Fleet& fleet, base::LogSink log);

// The one that the configuration names.
std::unique_ptr<Registry> StartRegistry(net::EventLoop& loop, Fleet& fleet, base::LogSink log);

}  // namespace switchyard::gateway
