// The control half of a gateway in one piece: the fleet by its configuration file, the watch over
// its members, registrations, the audit log, what operators ask. Who serves requests takes the
// fleet from here, passes on what is below /switchyard/, and tells what became of requests.
// Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "gateway/admin_endpoints.h"
#include "gateway/decision_log.h"
#include "gateway/felt_log.h"
#include "gateway/fleet.h"

namespace switchyard::gateway {

class Control {
 public:
  // Reads `path`, restores the orders that the audit log tells of, and watches from now on. `log`
  // outlives it.
  static base::Result<std::unique_ptr<Control>> Start(const std::string& path, base::LogSink log);
  virtual ~Control() = default;

  virtual Fleet& fleet() = 0;
  virtual DecisionLog& decisions() = 0;
  virtual FeltLog& felt() = 0;
  virtual AdminEndpoints& admin() = 0;
  // Reads the file again, and every file of keys and certificates that it names; an error leaves
  // all as it is. What else [listen] says takes effect at the next start only.
  virtual base::Status Reload() = 0;
  // What whoever serves requests reads again, as the last of it, whenever the file is: for an
  // operator, a signal, or because it changed. Nothing from `also` is called once it was replaced.
  virtual void ReloadAlso(std::function<base::Status()> also) = 0;
};

}  // namespace switchyard::gateway
