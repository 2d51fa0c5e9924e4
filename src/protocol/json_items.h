// Looks into JSON text without building a tree: where the members of an object, or the elements of
// an array, lie. What is passed on keeps its bytes, and a long string costs a search for its end.
// Only the structure is checked, not what stands in strings, numbers and words. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::protocol {

class JsonItems {
 public:
  // Of an object or array, perhaps with blanks around it.
  explicit JsonItems(std::string_view text);

  // To the first or next; false behind the last, and where the text is no JSON.
  bool Next();
  // An object's; as it is written between the quotes, which is itself unless it has a backslash.
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }  // without blanks around it
  std::string_view item() const { return item_; }    // from the key's quote to the value's end
  bool is_object() const { return close_ == '}'; }
  // Once Next has said false: whether that was the end of a whole text.
  bool is_whole() const { return is_whole_; }

 private:
  bool Break();
  void SkipBlanks();
  bool SkipString();
  bool SkipValue();

  std::string_view text_;
  std::size_t at_ = 0;
  char close_ = 0;  // 0: neither object nor array
  bool is_first_ = true;
  bool is_whole_ = false;
  std::string_view key_;
  std::string_view value_;
  std::string_view item_;
};

// Of a value as JsonItems gives it.
std::optional<std::int64_t> JsonInteger(std::string_view value);
bool IsJsonString(std::string_view value);
// Without its quotes and escapes; none if it is no string.
std::optional<std::string> JsonString(std::string_view value);
// Null, false, zero, and what is empty.
bool IsJsonFalsy(std::string_view value);

// Line breaks, tabs and the like, of which JSON has none in strings.
bool HasControls(std::string_view text);
// JSON text with a blank for each line break and tab; none where a control character stands in a
// string, or is none of these.
std::optional<std::string> JsonInOneLine(std::string_view text);

// The object's members, comma between them, without those that `drops` names.
template <typename Drops>
void AppendMembers(std::string_view object, const Drops& drops, std::string& out) {
  bool is_first = true;
  for (JsonItems items(object); items.Next();) {
    if (drops(items.key())) continue;
    if (!is_first) out += ',';
    is_first = false;
    out += items.item();
  }
}

}  // namespace switchyard::protocol
