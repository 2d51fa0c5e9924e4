// Any bytes as a member's stream: cut anywhere, it tells the same events, and they hold all of it.
#include <cstdlib>
#include <string>
#include <vector>

#include "net/sse_reader.h"

namespace {

constexpr std::size_t kLimit = 4096;

struct Told {
  std::vector<std::string> events;
  bool is_refused = false;
  bool is_whole = true;
};

Told Read(std::string_view bytes, std::size_t piece) {
  Told told;
  switchyard::net::SseReader reader(kLimit);
  for (std::size_t i = 0; i < bytes.size() && !told.is_refused; i += piece) {
    const auto status = reader.Push(bytes.substr(i, piece), [&](const auto& event) {
      // A "\r" that comes alone ends an event as well as with its "\n".
      const std::string_view raw = event.raw.substr(0, event.raw.find_last_not_of("\r\n") + 1);
      told.events.push_back(std::string(raw) + '\0' + std::string(event.data) + '\0' +
                            std::string(event.event) + (event.has_data ? "+" : "-"));
      return true;
    });
    told.is_refused = !status;
  }
  told.is_whole = reader.is_between_events();
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Told one_by_one = Read(bytes, 1);
  const Told pieces = Read(bytes, 1 + data[0] % 64);
  if (one_by_one.events != pieces.events || one_by_one.is_refused != pieces.is_refused ||
      (!pieces.is_refused && one_by_one.is_whole != pieces.is_whole)) {
    std::abort();
  }
  return 0;
}
