// The options of device_open, NAME=VALUE: a chip takes those that it knows, and what then is left
// is refused by name, so that a misspelt option is never silent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "switchyard/chip.h"

namespace switchyard::chips {

class Options {
 public:
  explicit Options(const std::vector<sy_option>& given);

  std::optional<std::string> Take(const char* name);
  // Fails unless the value is a whole number from `least` to `most`.
  std::optional<std::int64_t> TakeNumber(const char* name, std::int64_t least, std::int64_t most);

  // Fails, naming the first option that nothing took and those that there are.
  void RefuseOthers(const char* chip) const;

 private:
  std::vector<std::pair<std::string, std::string>> left_;
  std::string known_;
};

}  // namespace switchyard::chips
