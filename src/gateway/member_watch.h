// Asks each member of a fleet again and again how it is, and tells the fleet: our servers for their
// state, outside engines for their models and metrics. A member that does not answer some times in
// a row is lost until it does. Has a thread of its own; what it finds is in the fleet's next view.
#pragma once

#include <memory>

#include "gateway/fleet.h"

namespace switchyard::gateway {

class MemberWatch {
 public:
  // Watches from now on, as the fleet's configuration says at each moment; `fleet` outlives it.
  static std::unique_ptr<MemberWatch> Start(Fleet& fleet);
  // Stops.
  virtual ~MemberWatch() = default;
};

}  // namespace switchyard::gateway
