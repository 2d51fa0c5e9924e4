#include <algorithm>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/filters.h"
#include "model/internal/jinja/functions.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/macro.h"
#include "model/internal/jinja/methods.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer_capture.h"

namespace switchyard::model::jinja {

Value Renderer::Undefined(std::string_view message) {
  return Value::Undefined(UndefinedReason::kHint, arena_.Copy(message));
}

// Built-in functions read whole texts; this makes their cost count.
void Renderer::ChargeTexts(const Value& input, const Arguments& arguments) {
  std::size_t bytes = input.Is(Kind::kString) ? input.AsString().size() : 0;
  for (const Value& value : arguments.positional) {
    if (value.Is(Kind::kString)) bytes += value.AsString().size();
  }
  arena_.Spend(1 + bytes / 16);
}

Value Renderer::Call(const Value& callee, const Arguments& arguments) {
  DepthGuard depth(arena_);
  if (callee.Is(Kind::kUndefined)) callee.FailUndefined();
  if (!callee.Is(Kind::kObject) || !callee.AsObject().IsCallable()) {
    Raise(FailureKind::kType, "'{}' object is not callable", TypeName(callee));
  }
  ChargeTexts(Value(), arguments);
  return callee.AsObject().Call(*this, arguments);
}

Value Renderer::CallFilter(std::string_view name, const Value& input, const Arguments& arguments) {
  const FilterEntry* filter = FindFilter(name);
  if (filter == nullptr) Raise(FailureKind::kRuntime, "No filter named '{}'.", name);
  DepthGuard depth(arena_);
  ChargeTexts(input, arguments);
  return filter->apply(*this, input, arguments);
}

bool Renderer::CallTest(std::string_view name, const Value& input, const Arguments& arguments) {
  const TestEntry* test = FindTest(name);
  if (test == nullptr) Raise(FailureKind::kRuntime, "No test named '{}'.", name);
  DepthGuard depth(arena_);
  ChargeTexts(input, arguments);
  return test->holds(*this, input, arguments);
}

Value Renderer::GetAttribute(const Value& object, std::string_view name) {
  if (object.Is(Kind::kUndefined)) object.FailUndefined();
  if (object.Is(Kind::kObject)) {
    const Value value = object.AsObject().Attribute(*this, name);
    if (!value.Is(Kind::kMissing)) return value;
  } else {
    const Value method = FindMethod(arena_, object, name);
    if (!method.Is(Kind::kMissing)) return method;
    if (object.Is(Kind::kDict)) {
      if (const Value* value = object.AsDict().Find(name)) return *value;
    }
  }
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) {
    return Value::Undefined(UndefinedReason::kUnsafe, name, object.kind());
  }
  return Value::Undefined(UndefinedReason::kAttribute, name, object.kind());
}

Value Renderer::GetItem(const Value& object, const Value& index) {
  if (object.Is(Kind::kUndefined)) object.FailUndefined();
  const Value item = ItemOf(*this, object, index);
  if (!item.Is(Kind::kMissing)) return item;
  if (index.Is(Kind::kString)) {
    const Value attribute = object.Is(Kind::kObject)
                                ? object.AsObject().Attribute(*this, index.AsString())
                                : FindMethod(arena_, object, index.AsString());
    if (!attribute.Is(Kind::kMissing)) return attribute;
    return Value::Undefined(UndefinedReason::kAttribute, index.AsString(), object.kind());
  }
  return Value::Undefined(UndefinedReason::kElement, arena_.Copy(Repr(arena_, index)),
                          object.kind());
}

// How jinja2's Macro.__call__ matches arguments: parameters by position, then by name, then their
// defaults; the rest go to varargs and kwargs where the body reads these.
Value Renderer::CallMacro(const MacroBody& macro, Frame* definition, const Arguments& arguments) {
  DepthGuard guard(arena_);
  const int line = line_;
  Frame* frame = NewFrame(macro.frame, definition);
  const std::size_t count = macro.parameters.size();
  const std::size_t by_position = std::min(arguments.positional.size(), count);
  const auto slot = [&](int index) -> Value& {
    return frame->slots[static_cast<std::size_t>(index)];
  };
  std::vector<bool> used(arguments.named.size());
  arena_.Spend(count * used.size());
  const auto take_named = [&](std::string_view name) {
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i] || arguments.named[i].name != name) continue;
      used[i] = true;
      return arguments.named[i].value;
    }
    return Value();
  };
  for (std::size_t i = 0; i < count; ++i) {
    slot(macro.parameter_slots[i]) =
        i < by_position ? arguments.positional[i] : take_named(macro.parameters[i]);
  }
  if (macro.caller_slot >= 0) {
    const Value caller = take_named("caller");
    slot(macro.caller_slot) = IsTrue(caller) ? caller : Undefined("No caller defined");
  }
  const std::string_view name = macro.name.empty() ? std::string_view("caller") : macro.name;
  if (macro.kwargs_slot >= 0) {
    Dict* rest = arena_.New<Dict>(arena_);
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!used[i]) {
        rest->Set(Value::String(arguments.named[i].name), arguments.named[i].value);
      }
    }
    slot(macro.kwargs_slot) = Value::Of(rest);
  } else {
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i]) continue;
      Raise(FailureKind::kType, "macro '{}' takes no keyword argument '{}'", name,
            arguments.named[i].name);
    }
  }
  if (macro.varargs_slot >= 0) {
    slot(macro.varargs_slot) = Value::Tuple(arguments.positional.subspan(by_position));
  } else if (arguments.positional.size() > count) {
    Raise(FailureKind::kType, "macro '{}' takes not more than {} argument(s)", name, count);
  }
  Capture capture(*this);
  const std::size_t required = count - macro.defaults.size();
  for (std::size_t i = 0; i < count; ++i) {
    Value& parameter = slot(macro.parameter_slots[i]);
    if (!parameter.Is(Kind::kMissing)) continue;
    if (i >= required) {
      const Value value = Eval(*macro.defaults[i - required], frame);
      parameter = value;
    } else {
      parameter = Undefined(fmt::format("parameter '{}' was not provided", macro.parameters[i]));
    }
  }
  RunBlock(macro.body, frame);
  line_ = line;
  return capture.Finish();
}

Arguments Renderer::EvalArguments(const ArgumentList& list, Frame* frame, const Value& caller) {
  ListBuilder positional(arena_);
  for (const ExprPtr& argument : list.positional) positional.Append(Eval(*argument, frame));
  std::size_t named_count = list.named.size() + (caller.Is(Kind::kMissing) ? 0 : 1);
  std::vector<NamedValue> named;
  for (const auto& [name, argument] : list.named) named.push_back({name, Eval(*argument, frame)});
  if (list.more_positional) {
    const Value more = Eval(*list.more_positional, frame);
    Iterator& items = IteratorOver(*this, more);
    for (Value value; items.Next(&value);) positional.Append(value);
  }
  if (!caller.Is(Kind::kMissing)) named.push_back({"caller", caller});
  if (list.more_named) {
    const Value more = Eval(*list.more_named, frame);
    if (!more.Is(Kind::kDict)) {
      Raise(FailureKind::kType, "argument after ** must be a mapping, not {}", TypeName(more));
    }
    arena_.Spend(more.AsDict().entries().size() * (1 + named_count));
    arena_.Charge(more.AsDict().entries().size() * sizeof(NamedValue));
    for (const auto& [key, value] : more.AsDict().entries()) {
      if (!key.Is(Kind::kString)) Raise(FailureKind::kType, "keywords must be strings");
      for (std::size_t i = 0; i < named_count; ++i) {
        if (named[i].name == key.AsString()) {
          Raise(FailureKind::kType, "got multiple values for keyword argument '{}'",
                key.AsString());
        }
      }
      named.push_back({key.AsString(), value});
    }
  }
  Arguments arguments;
  arguments.positional = positional.Finish();
  if (!named.empty()) {
    auto* place = arena_.AllocateArray<NamedValue>(named.size());
    std::uninitialized_copy(named.begin(), named.end(), place);
    arguments.named = {place, named.size()};
  }
  return arguments;
}

Value Macro::Attribute(Renderer& renderer, std::string_view name) {
  if (name == "name") {
    return body_.name.empty() ? Value::None() : Value::String(body_.name);
  }
  if (name == "arguments") {
    ListBuilder names(renderer.arena());
    for (const std::string& parameter : body_.parameters) names.Append(Value::String(parameter));
    return Value::Tuple(names.Finish());
  }
  if (name == "catch_kwargs") return Value::Bool(body_.kwargs_slot >= 0);
  if (name == "catch_varargs") return Value::Bool(body_.varargs_slot >= 0);
  if (name == "caller") return Value::Bool(body_.caller_slot >= 0);
  return {};
}

void Macro::Print(TextBuilder& out, int /*depth*/) const {
  out.Append("<Macro ");
  if (body_.name.empty()) {
    out.Append("anonymous");
  } else {
    out.Append('\'');
    out.Append(body_.name);
    out.Append('\'');
  }
  out.Append('>');
}

}  // namespace switchyard::model::jinja
