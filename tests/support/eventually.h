// Waits for what another thread does.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace switchyard {

// Whether it comes to be true within ten seconds.
inline bool Eventually(const std::function<bool()>& what) {
  for (int i = 0; i < 1000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace switchyard
