#include "model/internal/jinja/loop.h"

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/functions.h"
#include "model/internal/jinja/iteration.h"

namespace switchyard::model::jinja {

bool Loop::Next(Value* value) {
  if (!Peek()) return false;
  ++index_;
  previous_ = current_;
  current_ = next_;
  next_ = Value();
  *value = current_;
  return true;
}

bool Loop::Peek() {
  if (!next_.Is(Kind::kMissing)) return true;
  Value value;
  if (!source_.Next(&value)) return false;
  next_ = value;
  return true;
}

std::int64_t Loop::CountItems() {
  if (length_) return *length_;
  const bool is_whole = !node_.condition;
  if (is_whole && iterable_.IsSequence()) {
    length_ = static_cast<std::int64_t>(iterable_.AsItems().size());
  } else if (is_whole && iterable_.Is(Kind::kObject) && iterable_.AsObject().Length()) {
    length_ = static_cast<std::int64_t>(*iterable_.AsObject().Length());
  } else {  // takes the rest of the items to count them
    ListBuilder rest(renderer_.arena());
    for (Value value; source_.Next(&value);) rest.Append(value);
    const Value items = Value::List(rest.Finish());
    source_ = SourceOver(renderer_, items);
    length_ = static_cast<std::int64_t>(items.AsItems().size()) + index_ + 1 +
              (next_.Is(Kind::kMissing) ? 0 : 1);
  }
  return *length_;
}

Value Loop::Attribute(Renderer& renderer, std::string_view name) {
  if (name == "index") return Value::Int(index_ + 1);
  if (name == "index0") return Value::Int(index_);
  if (name == "first") return Value::Bool(index_ == 0);
  if (name == "last") return Value::Bool(!Peek());
  if (name == "length") return Value::Int(CountItems());
  if (name == "revindex") return Value::Int(CountItems() - index_);
  if (name == "revindex0") return Value::Int(CountItems() - index_ - 1);
  if (name == "depth") return Value::Int(depth_ + 1);
  if (name == "depth0") return Value::Int(depth_);
  if (name == "previtem") {
    return index_ == 0 ? renderer.Undefined("there is no previous item") : previous_;
  }
  if (name == "nextitem") return Peek() ? next_ : renderer.Undefined("there is no next item");
  if (name == "cycle") {
    return MakeMethod(renderer.arena(), "cycle", Value::Of(this),
                      [](Renderer&, const Value& self, const Arguments& arguments) {
                        return static_cast<Loop&>(self.AsObject()).Cycle(arguments);
                      });
  }
  if (name == "changed") {
    return MakeMethod(renderer.arena(), "changed", Value::Of(this),
                      [](Renderer&, const Value& self, const Arguments& arguments) {
                        return static_cast<Loop&>(self.AsObject()).Changed(arguments);
                      });
  }
  return {};
}

Value Loop::Cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) Raise(FailureKind::kType, "no items for cycling given");
  return arguments.positional[static_cast<std::size_t>(index_) % arguments.positional.size()];
}

Value Loop::Changed(const Arguments& arguments) {
  const Value value = Value::Tuple(arguments.positional);
  if (jinja::Equals(renderer_.arena(), last_changed_, value)) return Value::Bool(false);
  last_changed_ = value;
  return Value::Bool(true);
}

Value Loop::Call(Renderer& renderer, const Arguments& arguments) {
  if (!node_.is_recursive) {
    Raise(FailureKind::kType,
          "The loop must have the 'recursive' marker to be called recursively.");
  }
  const auto [iterable] = Bind("loop", arguments, {"iterable"}, 1);
  return renderer.RunRecursiveLoop(node_, outer_, iterable, depth_ + 1);
}

}  // namespace switchyard::model::jinja
