// Python's operators on values: arithmetic, order, membership, indexing.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/internal/jinja/ast.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

Value Compute(Renderer& renderer, ArithmeticOp op, const Value& left, const Value& right);
bool Compares(Renderer& renderer, CompareOp op, const Value& left, const Value& right);
bool Contains(Renderer& renderer, const Value& container, const Value& item);

// left < right; fails on types that have no order.
bool IsLess(Arena& arena, const Value& left, const Value& right);

// object[start:stop:step]; kMissing or none where left out.
Value SliceOf(Renderer& renderer, const Value& object, const Value& start, const Value& stop,
              const Value& step);

// object[index] of a string, list, tuple or dict; kMissing where there is no such item.
Value ItemOf(Renderer& renderer, const Value& object, const Value& index);

// The texts of both sides joined, escaping what isn't markup if `is_markup`.
Value JoinTexts(Arena& arena, const Value& left, const Value& right);
// The text of any value, escaped unless it is markup.
std::string_view EscapedText(Arena& arena, const Value& value);

std::size_t LengthOf(Renderer& renderer, const Value& value);  // len(value)

}  // namespace switchyard::model::jinja
