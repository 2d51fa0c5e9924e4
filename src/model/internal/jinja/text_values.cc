#include "model/internal/jinja/text_values.h"

#include <algorithm>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/text.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {

Value TextLike(const Value& like, std::string_view text) {
  return like.IsMarkup() ? Value::Markup(text) : Value::String(text);
}

Value ConvertText(Arena& arena, const Value& text, std::string (*convert)(std::string_view)) {
  const std::string_view source = text.AsString();
  arena.Spend(source.size() / 4);  // each code point is looked up
  // The converted copy may be three times as long.
  const std::size_t room = 3 * source.size();
  arena.Charge(room);
  const std::string_view converted = arena.Copy(convert(source));
  arena.Refund(room);
  return TextLike(text, converted);
}

Value StripText(const Value& text, const Value& characters, bool left, bool right) {
  if (!IsGiven(characters)) return TextLike(text, StripSpace(text.AsString(), left, right));
  return TextLike(text, StripCharacters(text.AsString(), ToString(characters, "strip's argument"),
                                        left, right));
}

std::string_view ReplaceText(Arena& arena, std::string_view text, std::string_view old_text,
                             std::string_view new_text, std::int64_t count) {
  const std::size_t limit = count < 0 ? kUnlimited : static_cast<std::size_t>(count);
  TextBuilder out(arena);
  std::size_t copied = 0;
  if (old_text.empty()) {  // between all code points and at both ends
    std::size_t i = 0;
    for (std::size_t done = 0; done < limit; ++done) {
      out.Append(text.substr(copied, i - copied));
      out.Append(new_text);
      copied = i;
      if (i >= text.size()) break;
      unicode::DecodeNext(text, &i);
    }
  } else {
    for (std::size_t done = 0; done < limit; ++done) {
      const std::size_t found = text.find(old_text, copied);
      if (found == std::string_view::npos) break;
      out.Append(text.substr(copied, found - copied));
      out.Append(new_text);
      copied = found + old_text.size();
    }
    if (copied == 0) return text;
  }
  out.Append(text.substr(copied));
  return out.Finish();
}

Value JustifyText(Arena& arena, const Value& text, std::int64_t width, std::string_view fill,
                  char align) {
  const auto length = static_cast<std::int64_t>(unicode::CountCodePoints(text.AsString()));
  if (width <= length) return text;
  const auto padding = static_cast<std::size_t>(width - length);
  // str.center puts the odd one to the left if the width is odd, else to the right.
  const std::size_t odd = padding & static_cast<std::size_t>(width) & 1U;
  const std::size_t before = align == '>' ? padding : align == '^' ? padding / 2 + odd : 0;
  TextBuilder out(arena);
  out.Repeat(fill, before);
  out.Append(text.AsString());
  out.Repeat(fill, padding - before);
  return TextLike(text, out.Finish());
}

}  // namespace switchyard::model::jinja
