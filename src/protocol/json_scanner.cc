#include "protocol/json_scanner.h"

namespace switchyard::protocol {
namespace {

bool IsDigit(char byte) { return byte >= '0' && byte <= '9'; }

bool IsHex(char byte) {
  return IsDigit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

}  // namespace

JsonScanner::Place JsonScanner::place() const {
  switch (state_) {
    case State::kValue:
    case State::kValueOrEnd:
      return Place::kValue;
    case State::kKey:
    case State::kKeyOrEnd:
      return Place::kKey;
    case State::kColon:
      return Place::kColon;
    case State::kAfterValue:
    case State::kOver:
      return Place::kAfterValue;
    default:
      return Place::kInside;
  }
}

JsonScanner::Step JsonScanner::BeginValue(char byte) {
  if (IsDigit(byte)) return Go(byte == '0' ? State::kZero : State::kDigits);
  switch (byte) {
    case '{':
    case '[':
      if (open_.size() == kMaxDepth) return Step::kBroken;
      open_.push_back(byte);
      return Go(byte == '{' ? State::kKeyOrEnd : State::kValueOrEnd);
    case '"':
      is_key_ = false;
      return Go(State::kString);
    case '-':
      return Go(State::kMinus);
    case 't':
      word_ = "rue";
      return Go(State::kWord);
    case 'f':
      word_ = "alse";
      return Go(State::kWord);
    case 'n':
      word_ = "ull";
      return Go(State::kWord);
    default:
      return Step::kBroken;
  }
}

JsonScanner::Step JsonScanner::EndValue() {
  if (!open_.empty()) return Go(State::kAfterValue);
  state_ = State::kOver;
  return Step::kDone;
}

JsonScanner::Step JsonScanner::AfterValue(char byte) {
  if (IsJsonBlank(byte)) return Go(State::kAfterValue);
  if (open_.empty()) return Step::kBroken;
  const bool in_object = open_.back() == '{';
  if (byte == ',') return Go(in_object ? State::kKey : State::kValue);
  if (byte != (in_object ? '}' : ']')) return Step::kBroken;
  open_.pop_back();
  return EndValue();
}

JsonScanner::Step JsonScanner::Number(char byte) {
  const bool digit = IsDigit(byte);
  switch (state_) {
    case State::kMinus:
      return digit ? Go(byte == '0' ? State::kZero : State::kDigits) : Step::kBroken;
    case State::kPoint:
      return digit ? Go(State::kFraction) : Step::kBroken;
    case State::kExponent:
      if (byte == '+' || byte == '-') return Go(State::kExponentSign);
      [[fallthrough]];
    case State::kExponentSign:
      return digit ? Go(State::kExponentDigits) : Step::kBroken;
    case State::kZero:
      if (digit) return Step::kBroken;
      break;
    default:
      if (digit) return Step::kMore;
      break;
  }
  const bool is_whole = state_ == State::kZero || state_ == State::kDigits;
  if (byte == '.' && is_whole) return Go(State::kPoint);
  if ((byte == 'e' || byte == 'E') && state_ != State::kExponentDigits) return Go(State::kExponent);
  return AfterValue(byte);
}

JsonScanner::Step JsonScanner::Push(char byte) {
  switch (state_) {
    case State::kValueOrEnd:
      if (byte == ']') return AfterValue(byte);
      [[fallthrough]];
    case State::kValue:
      return IsJsonBlank(byte) ? Step::kMore : BeginValue(byte);
    case State::kKeyOrEnd:
      if (byte == '}') return AfterValue(byte);
      [[fallthrough]];
    case State::kKey:
      if (IsJsonBlank(byte)) return Step::kMore;
      is_key_ = true;
      return byte == '"' ? Go(State::kString) : Step::kBroken;
    case State::kColon:
      if (IsJsonBlank(byte)) return Step::kMore;
      return byte == ':' ? Go(State::kValue) : Step::kBroken;
    case State::kAfterValue:
      return AfterValue(byte);
    case State::kString:
      if (byte == '\\') return Go(State::kEscape);
      if (byte == '"') return is_key_ ? Go(State::kColon) : EndValue();
      return static_cast<unsigned char>(byte) < 0x20 ? Step::kBroken : Step::kMore;
    case State::kEscape:
      if (byte == 'u') {
        hex_left_ = 4;
        return Go(State::kUnicode);
      }
      return std::string_view("\"\\/bfnrt").find(byte) == std::string_view::npos
                 ? Step::kBroken
                 : Go(State::kString);
    case State::kUnicode:
      if (!IsHex(byte)) return Step::kBroken;
      return --hex_left_ == 0 ? Go(State::kString) : Step::kMore;
    case State::kWord:
      if (byte != word_.front()) return Step::kBroken;
      word_.remove_prefix(1);
      return word_.empty() ? EndValue() : Step::kMore;
    case State::kOver:
      return Step::kBroken;
    default:
      return Number(byte);
  }
}

}  // namespace switchyard::protocol
