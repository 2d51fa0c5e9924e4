// Reads a grammar's or an expression's text character by character and says where in it a fault
// lies. Lives on the stack of one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::grammar::internal {

inline constexpr char32_t kEndOfText = 0xFFFFFFFF;
inline constexpr int kMostGroups = 200;  // one within another

class TextCursor {
 public:
  // `subject` names the text in errors, such as "the grammar".
  TextCursor(std::string_view text, std::string_view subject) : text_(text), subject_(subject) {}

  // The next character, or kEndOfText. Bytes that are not UTF-8 count as one character each.
  char32_t Peek() const;
  char32_t Next();
  bool Take(std::string_view expected);
  bool at_end() const { return position_ >= text_.size(); }
  std::size_t position() const { return position_; }
  void set_position(std::size_t position) { position_ = position; }
  std::string_view rest() const { return text_.substr(position_); }
  std::string_view From(std::size_t begin) const { return text_.substr(begin, position_ - begin); }

  // kInvalidArgument, with the line and column of `position`.
  std::unexpected<base::Error> Fail(std::size_t position, std::string_view sentence) const;
  std::unexpected<base::Error> Fail(std::string_view sentence) const {
    return Fail(position_, sentence);
  }

  // Exactly `digits` hexadecimal digits; none if they aren't there.
  std::optional<char32_t> Hex(std::size_t digits);
  // A decimal number; none if there is none, or it is above what repetitions may count.
  std::optional<std::uint32_t> Number();

 private:
  struct Decoded {
    char32_t character;
    std::size_t size;
  };
  Decoded Decode() const;

  std::string_view text_;
  std::string_view subject_;
  std::size_t position_ = 0;
};

// A character of a text as an error shows it.
std::string Shown(char32_t character);

// What follows a backslash in the manner of C: n, t, r, f, v, xHH, uHHHH (pairs of surrogates
// joined), UHHHHHHHH, or a character that isn't a letter or digit and stands for itself. None: it
// is another, and the cursor stays.
base::Result<std::optional<char32_t>> ReadEscape(TextCursor& cursor);

}  // namespace switchyard::grammar::internal
