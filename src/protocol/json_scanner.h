// Follows one JSON value (RFC 8259) byte by byte, so that a value can be passed on while it is
// still being written: every byte that was accepted leaves the beginning of some JSON text. Bytes
// above 0x7F are taken as they come. Bounded in depth. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace switchyard::protocol {

class JsonScanner {
 public:
  enum class Step : std::uint8_t {
    kMore,
    kDone,    // the byte was the value's last
    kBroken,  // no JSON goes on like this
  };
  // What the next byte belongs to.
  enum class Place : std::uint8_t {
    kValue,       // blanks before a value, or its first byte
    kKey,         // blanks before a key, or its first byte; maybe the object's end
    kColon,       // blanks before ':'
    kAfterValue,  // blanks before ',' or the end of an array or object
    kInside,      // of a string, number or word
  };

  static constexpr std::size_t kMaxDepth = 64;

  // A number at the top has no last byte: the value must be an array, object, string or word.
  Step Push(char byte);

  Place place() const;
  // Arrays and objects that are open.
  std::size_t depth() const { return open_.size(); }

 private:
  enum class State : std::uint8_t {
    kValue,
    kValueOrEnd,  // after '['
    kKey,
    kKeyOrEnd,  // after '{'
    kColon,
    kAfterValue,
    kString,
    kEscape,
    kUnicode,
    kWord,
    kMinus,
    kZero,
    kDigits,
    kPoint,
    kFraction,
    kExponent,
    kExponentSign,
    kExponentDigits,
    kOver,
  };

  Step BeginValue(char byte);
  Step EndValue();
  Step AfterValue(char byte);
  Step Number(char byte);
  Step Go(State state) {
    state_ = state;
    return Step::kMore;
  }

  State state_ = State::kValue;
  std::vector<char> open_;  // '{' or '['
  bool is_key_ = false;     // the string
  int hex_left_ = 0;
  std::string_view word_;  // what is left of it
};

inline bool IsJsonBlank(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

}  // namespace switchyard::protocol
