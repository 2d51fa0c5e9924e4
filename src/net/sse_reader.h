// Cuts a stream of server-sent events into its events, as they come in pieces of any size (WHATWG
// HTML, section 9.2). Bounded: an event that is larger than `limit_bytes` ends the reading. Values;
// one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::net {

struct SseEvent {
  std::string_view event = {};  // its type; mostly empty
  std::string_view data = {};   // lines joined by '\n'
  bool has_data = false;   // else it is comments only, or nothing that anybody need see
  std::string_view raw = {};    // as it came, with the empty line that ends it
};

class SseReader {
 public:
  explicit SseReader(std::size_t limit_bytes = 16 << 20) : limit_bytes_(limit_bytes) {}

  // Tells of each event that `bytes` completes; its views are valid during the call. False from
  // `on_event` ends the reading: what is left is dropped, and further bytes are ignored.
  base::Status Push(std::string_view bytes, const std::function<bool(const SseEvent&)>& on_event);

  // Whether the last event is whole: an end here cuts nothing.
  bool is_between_events() const { return rest_.empty(); }

 private:
  bool Tell(std::string_view raw, const std::function<bool(const SseEvent&)>& on_event);

  std::size_t limit_bytes_;
  std::string rest_;          // the beginning of an event
  std::size_t searched_ = 0;  // of it, without its end
  std::string joined_;        // data of several lines
  bool is_ended_ = false;
};

}  // namespace switchyard::net
