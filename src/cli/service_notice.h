// Tells the service manager that started this program how it is, as sd_notify(3) describes: one
// datagram to the socket that NOTIFY_SOCKET names. Without one nothing happens.
#pragma once

#include <string_view>

#include "cli/environment.h"

namespace switchyard::cli {

// `state` is of lines such as "READY=1". Whether it was told.
bool TellServiceManager(const Environment& environment, std::string_view state);

}  // namespace switchyard::cli
