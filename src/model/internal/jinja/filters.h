// The filters and tests that a template can name: jinja2's built-in ones, with transformers'
// tojson. Left out is what needs randomness, HTML's address detection or Python's pretty-printer
// and text wrapper: random, urlize, pprint, wordwrap.
#pragma once

#include <span>
#include <string_view>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

struct FilterEntry {
  std::string_view name;
  Value (*apply)(Renderer& renderer, const Value& input, const Arguments& arguments);
};

struct TestEntry {
  std::string_view name;
  bool (*holds)(Renderer& renderer, const Value& input, const Arguments& arguments);
};

const FilterEntry* FindFilter(std::string_view name);  // null if unknown
const TestEntry* FindTest(std::string_view name);

// The parts of the list, each in a file of its own.
std::span<const FilterEntry> TextFilters();
std::span<const FilterEntry> NumberFilters();
std::span<const FilterEntry> SequenceFilters();
std::span<const FilterEntry> OrderFilters();

}  // namespace switchyard::model::jinja
