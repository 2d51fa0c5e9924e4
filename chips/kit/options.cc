#include "kit/options.h"

#include <cstdlib>

#include "kit/call_guard.h"

namespace switchyard::chips {

Options::Options(const std::vector<sy_option>& given) {
  for (const sy_option& option : given) {
    if (option.name == nullptr || option.value == nullptr) {
      throw Failure(SY_INVALID_ARGUMENT, "an option's name or value is null");
    }
    left_.emplace_back(option.name, option.value);
  }
}

std::optional<std::string> Options::Take(const char* name) {
  known_ += (known_.empty() ? "" : ", ") + std::string(name);
  std::optional<std::string> value;
  for (auto option = left_.begin(); option != left_.end();) {
    if (option->first == name) {
      value = option->second;
      option = left_.erase(option);
    } else {
      ++option;
    }
  }
  return value;
}

std::optional<std::int64_t> Options::TakeNumber(const char* name, std::int64_t least,
                                                std::int64_t most) {
  const std::optional<std::string> text = Take(name);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const long long number = std::strtoll(text->c_str(), &end, 10);
  if (text->empty() || *end != '\0' || number < least || number > most) {
    throw Failure(SY_INVALID_ARGUMENT, "option %s=%s: it must be a number from %lld to %lld", name,
                  text->c_str(), static_cast<long long>(least), static_cast<long long>(most));
  }
  return number;
}

void Options::RefuseOthers(const char* chip) const {
  if (left_.empty()) return;
  throw Failure(SY_INVALID_ARGUMENT, "the %s chip has no option '%s'; it has %s", chip,
                left_.front().first.c_str(), known_.empty() ? "none at all" : known_.c_str());
}

}  // namespace switchyard::chips
