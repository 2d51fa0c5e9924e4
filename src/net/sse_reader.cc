#include "net/sse_reader.h"

#include <algorithm>

namespace switchyard::net {
namespace {

bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }

// The length of the line end at `at`: "\n", "\r" or "\r\n".
std::size_t LineEndSize(std::string_view text, std::size_t at) {
  return text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n' ? 2 : 1;
}

// Where the first event ends, behind its empty line; npos if that is not sure yet. `from`: a place
// before which there is no end.
std::size_t EventEnd(std::string_view text, std::size_t from) {
  std::size_t at = from;
  while (at < text.size()) {
    // Almost everybody writes "\n".
    const auto* const found = std::find_if(text.begin() + at, text.end(), IsLineEnd);
    at = static_cast<std::size_t>(found - text.begin());
    if (at == text.size()) break;
    const std::size_t next = at + LineEndSize(text, at);
    if (next == text.size()) break;
    if (IsLineEnd(text[next])) {
      // A "\r" that is last may be half of "\r\n", whose "\n" is then a line of its own: empty.
      return next + LineEndSize(text, next);
    }
    at = next;
  }
  return std::string_view::npos;
}

}  // namespace

bool SseReader::Tell(std::string_view raw, const std::function<bool(const SseEvent&)>& on_event) {
  SseEvent event{.raw = raw};
  joined_.clear();
  std::string_view left = raw;
  while (!left.empty()) {
    const auto* const found = std::ranges::find_if(left, IsLineEnd);
    const auto size = static_cast<std::size_t>(found - left.begin());
    const std::string_view line = left.substr(0, size);
    left.remove_prefix(size == left.size() ? size : size + LineEndSize(left, size));
    const std::size_t colon = line.find(':');
    if (line.empty() || colon == 0) continue;
    const std::string_view field = line.substr(0, colon);
    std::string_view value;
    if (colon != std::string_view::npos) value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") event.event = value;
    if (field != "data") continue;
    if (event.has_data) {
      if (joined_.empty()) joined_ = event.data;
      joined_ += '\n';
      joined_ += value;
      event.data = joined_;
    } else {
      event.data = value;
      event.has_data = true;
    }
  }
  return on_event(event);
}

base::Status SseReader::Push(std::string_view bytes,
                             const std::function<bool(const SseEvent&)>& on_event) {
  if (is_ended_) return {};
  std::string_view text = bytes;
  if (!rest_.empty()) {
    rest_ += bytes;
    text = rest_;
  }
  std::size_t begin = 0;
  const std::size_t from = searched_;
  while (true) {
    // Blank lines between events are no events.
    while (begin < text.size() && IsLineEnd(text[begin])) ++begin;
    const std::size_t end = EventEnd(text, std::max(begin, from));
    if (end == std::string_view::npos) break;
    const std::string_view raw = text.substr(begin, end - begin);
    begin = end;
    if (Tell(raw, on_event)) continue;
    is_ended_ = true;
    rest_.clear();
    return {};
  }
  const std::size_t left = text.size() - begin;
  if (left > limit_bytes_) {
    is_ended_ = true;
    return base::Fail(base::ErrorCode::kResourceExhausted,
                      "an event of more than {} bytes came; whoever sends it is broken",
                      limit_bytes_);
  }
  if (text.data() == rest_.data()) {
    rest_.erase(0, begin);
  } else {
    rest_ = text.substr(begin);
  }
  // An end may begin with the last two bytes.
  searched_ = left > 2 ? left - 2 : 0;
  return {};
}

}  // namespace switchyard::net
