// Readers of tool calls in JSON, for the formats that have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "protocol/json_scanner.h"
#include "protocol/tool_format.h"

namespace switchyard::protocol {

inline constexpr std::size_t kFunctionNameBytes = 256;

// The arguments alone: an object, passed on as it comes. Whoever uses it begins the call, and
// their end is the call's.
class ArgumentsObject {
 public:
  CallReader::Step Push(char byte, CallSink& sink);

 private:
  JsonScanner scanner_;
};

// {"name":…,"arguments":{…}} or with "parameters"; other members are read over. Arguments that
// stand before the name wait for it; arguments in a string are taken out of it.
class JsonCall final : public CallReader {
 public:
  // Where `known` is not empty, only these names make a call, and no member that calls lack: what
  // is another object is told from a call as early as can be.
  explicit JsonCall(std::span<const Tool> known = {}) : known_(known) {}
  Step Push(char byte, CallSink& sink) override;

 private:
  enum class Member : std::uint8_t { kOther, kName, kArguments };

  void BeginValue(char byte);
  Step TakeValue(char byte, CallSink& sink);
  Step EndValue(CallSink& sink);
  Step TakeName(CallSink& sink);
  Step TakeArguments(std::string text, CallSink& sink);
  Step EndCall(CallSink& sink);

  std::span<const Tool> known_;
  JsonScanner scanner_;
  std::string key_;
  Member member_ = Member::kOther;
  bool in_value_ = false;
  bool is_first_byte_ = false;  // of the value
  char first_ = 0;
  std::string value_;      // unless it is passed on
  bool is_begun_ = false;  // the name is told
  bool has_arguments_ = false;
  std::string waiting_;  // arguments that came before the name
};

}  // namespace switchyard::protocol
