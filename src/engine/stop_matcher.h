// Finds stop strings in text that comes piece by piece. Text that could be the beginning of a stop
// string is held back until it is certain, so nothing of a stop string is ever emitted. One
// sequence, one thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::engine {

class StopMatcher {
 public:
  // Empty strings are ignored. `includes_stop`: the text ends with the string that was found.
  explicit StopMatcher(std::vector<std::string> stops, bool includes_stop = false);

  // The text that may be shown by now. After a match, stopped() is true and everything later is
  // swallowed.
  std::string Push(std::string_view text);
  // Text in which no stop is looked for, and what was held back before it.
  std::string Pass(std::string_view text);
  std::string Finish();  // what was held back, at the end without a match
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  bool includes_stop_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace switchyard::engine
