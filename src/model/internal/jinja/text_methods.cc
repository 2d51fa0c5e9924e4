// str's methods that change or split a text.
#include <algorithm>
#include <functional>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/formatting.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/methods.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/text.h"
#include "model/internal/jinja/text_values.h"
#include "model/internal/unicode/case_mapping.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

template <std::string (*kConvert)(std::string_view)>
Value ConvertMethod(Renderer& renderer, const Value& self, const Arguments& arguments) {
  ExpectNoArguments("the str method", arguments);
  return ConvertText(renderer.arena(), self, kConvert);
}

template <bool kLeft, bool kRight>
Value Strip(Renderer&, const Value& self, const Arguments& arguments) {
  const auto [characters] = Bind("strip", arguments, {"chars"});
  return StripText(self, characters, kLeft, kRight);
}

Value PartsToList(Arena& arena, const Value& self, std::span<const std::string_view> parts) {
  ListBuilder items(arena);
  for (const std::string_view part : parts) items.Append(TextLike(self, part));
  return Value::List(items.Finish());
}

// Splitting makes a view of each part before the arena sees them.
void RequireRoomForParts(Arena& arena, std::string_view text) {
  if (text.size() > arena.remaining_bytes() / sizeof(std::string_view)) {
    Raise(FailureKind::kLimit, "a text of {} bytes is too long to split", text.size());
  }
}

template <bool kFromRight>
Value Split(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [separator, limit] = Bind("split", arguments, {"sep", "maxsplit"});
  const std::string_view text = self.AsString();
  RequireRoomForParts(renderer.arena(), text);
  std::size_t max_splits = kUnlimited;
  if (!limit.Is(Kind::kMissing)) {
    const std::int64_t given = ToInt(limit, "maxsplit");
    if (given >= 0) max_splits = static_cast<std::size_t>(given);
  }
  std::vector<std::string_view> parts;
  if (!IsGiven(separator)) {
    parts = kFromRight ? SplitAtSpaceFromRight(text, max_splits) : SplitAtSpace(text, max_splits);
  } else {
    const std::string_view at = ToString(separator, "the separator");
    if (at.empty()) Raise(FailureKind::kValue, "empty separator");
    parts = kFromRight ? SplitAtFromRight(text, at, max_splits) : SplitAt(text, at, max_splits);
  }
  return PartsToList(renderer.arena(), self, parts);
}

Value SplitIntoLines(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [keep_ends] = Bind("splitlines", arguments, {"keepends"});
  RequireRoomForParts(renderer.arena(), self.AsString());
  return PartsToList(renderer.arena(), self, SplitLines(self.AsString(), IsTrue(keep_ends)));
}

template <bool kFromRight>
Value Partition(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [separator] = Bind("partition", arguments, {"sep"}, 1);
  const std::string_view at = ToString(separator, "the separator");
  if (at.empty()) Raise(FailureKind::kValue, "empty separator");
  const std::string_view text = self.AsString();
  const std::size_t found = kFromRight ? text.rfind(at) : text.find(at);
  std::string_view parts[3];
  if (found == std::string_view::npos) {
    parts[kFromRight ? 2 : 0] = text;
  } else {
    parts[0] = text.substr(0, found);
    parts[1] = text.substr(found, at.size());
    parts[2] = text.substr(found + at.size());
  }
  ListBuilder items(renderer.arena());
  for (const std::string_view part : parts) items.Append(TextLike(self, part));
  return Value::Tuple(items.Finish());
}

Value ReplaceMethod(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [old_text, new_text, limit] = Bind("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = IsGiven(limit) ? ToInt(limit, "count") : -1;
  std::string_view with = ToString(new_text, "replace() argument 2");
  if (self.IsMarkup()) with = EscapedText(renderer.arena(), new_text);
  return TextLike(self, ReplaceText(renderer.arena(), self.AsString(),
                                    ToString(old_text, "replace() argument 1"), with, count));
}

Value JoinMethod(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [iterable] = Bind("join", arguments, {"iterable"}, 1);
  Iterator& items = IteratorOver(renderer, iterable);
  TextBuilder out(renderer.arena());
  std::size_t index = 0;
  for (Value item; items.Next(&item); ++index) {
    renderer.arena().Spend(1);
    if (index > 0) out.Append(self.AsString());
    if (self.IsMarkup()) {
      out.Append(EscapedText(renderer.arena(), item));
    } else if (item.Is(Kind::kString)) {
      out.Append(item.AsString());
    } else {
      Raise(FailureKind::kType, "sequence item {}: expected str instance, {} found", index,
            TypeName(item));
    }
  }
  return TextLike(self, out.Finish());
}

template <char kAlign>
Value Justify(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [width, fill] = Bind("the str method", arguments, {"width", "fillchar"}, 1);
  const std::string_view filler =
      fill.Is(Kind::kMissing) ? std::string_view(" ") : ToString(fill, "fillchar");
  if (unicode::CountCodePoints(filler) != 1) {
    Raise(FailureKind::kType, "The fill character must be exactly one character long");
  }
  return JustifyText(renderer.arena(), self, ToInt(width, "width"), filler, kAlign);
}

Value ZeroFill(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [width_value] = Bind("zfill", arguments, {"width"}, 1);
  const std::int64_t width = ToInt(width_value, "width");
  const std::string_view text = self.AsString();
  const auto length = static_cast<std::int64_t>(unicode::CountCodePoints(text));
  if (width <= length) return self;
  const bool is_signed = text.starts_with('-') || text.starts_with('+');
  TextBuilder out(renderer.arena());
  out.Append(text.substr(0, is_signed ? 1 : 0));
  out.Repeat("0", static_cast<std::size_t>(width - length));
  out.Append(text.substr(is_signed ? 1 : 0));
  return TextLike(self, out.Finish());
}

Value ExpandTabs(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [size_value] = Bind("expandtabs", arguments, {"tabsize"});
  const std::int64_t size = size_value.Is(Kind::kMissing) ? 8 : ToInt(size_value, "tabsize");
  TextBuilder out(renderer.arena());
  const std::string_view text = self.AsString();
  std::int64_t column = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t c = unicode::DecodeNext(text, &i);
    if (c == '\t') {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      out.Repeat(" ", static_cast<std::size_t>(spaces));
      column += spaces;
      continue;
    }
    out.Append(text.substr(start, i - start));
    column = c == '\n' || c == '\r' ? 0 : column + 1;
  }
  return TextLike(self, out.Finish());
}

template <bool kPrefix>
Value RemoveAffix(Renderer&, const Value& self, const Arguments& arguments) {
  const auto [value] = Bind("the str method", arguments, {"affix"}, 1);
  const std::string_view affix = ToString(value, "the affix");
  const std::string_view text = self.AsString();
  if (kPrefix ? !text.starts_with(affix) : !text.ends_with(affix)) return self;
  return TextLike(self,
                  kPrefix ? text.substr(affix.size()) : text.substr(0, text.size() - affix.size()));
}

Value FormatMap(Renderer& renderer, const Value& self, const Arguments& arguments) {
  const auto [mapping] = Bind("format_map", arguments, {"mapping"}, 1);
  if (!mapping.Is(Kind::kDict)) Raise(FailureKind::kType, "format_map() wants a mapping");
  const auto entries = mapping.AsDict().entries();
  auto* named = renderer.arena().AllocateArray<NamedValue>(entries.size());
  std::size_t count = 0;
  for (const auto& [key, value] : entries) {
    if (!key.Is(Kind::kString)) continue;
    new (&named[count++]) NamedValue{key.AsString(), value};
  }
  Arguments named_arguments;
  named_arguments.named = {named, count};
  return FormatBraces(renderer, self, named_arguments);
}

constexpr MethodEntry kTextMethods[] = {
    {"strip", Strip<true, true>},
    {"lstrip", Strip<true, false>},
    {"rstrip", Strip<false, true>},
    {"split", Split<false>},
    {"rsplit", Split<true>},
    {"splitlines", SplitIntoLines},
    {"partition", Partition<false>},
    {"rpartition", Partition<true>},
    {"replace", ReplaceMethod},
    {"join", JoinMethod},
    {"upper", ConvertMethod<unicode::ToUpper>},
    {"lower", ConvertMethod<unicode::ToLower>},
    {"title", ConvertMethod<unicode::ToTitle>},
    {"capitalize", ConvertMethod<unicode::Capitalize>},
    {"swapcase", ConvertMethod<unicode::SwapCase>},
    {"casefold", ConvertMethod<unicode::FoldCase>},
    {"center", Justify<'^'>},
    {"ljust", Justify<'<'>},
    {"rjust", Justify<'>'>},
    {"zfill", ZeroFill},
    {"expandtabs", ExpandTabs},
    {"removeprefix", RemoveAffix<true>},
    {"removesuffix", RemoveAffix<false>},
    {"format", FormatBraces},
    {"format_map", FormatMap},
};

}  // namespace

std::span<const MethodEntry> TextMethods() { return kTextMethods; }

}  // namespace switchyard::model::jinja
