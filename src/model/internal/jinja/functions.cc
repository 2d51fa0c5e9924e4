#include "model/internal/jinja/functions.h"

#include <array>
#include <ctime>
#include <string>

#include "model/internal/jinja/arguments.h"
#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/operators.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer.h"

namespace switchyard::model::jinja {
namespace {

class NativeCallable final : public Object {
 public:
  NativeCallable(std::string_view name, const Value& self, NativeFunction call)
      : name_(name), self_(self), call_(call) {}
  std::string_view TypeName() const override {
    return self_.Is(Kind::kMissing) ? "function" : "builtin_function_or_method";
  }
  bool IsCallable() const override { return true; }
  Value Attribute(Renderer& renderer, std::string_view name) override {
    const bool is_dict = self_.Is(Kind::kMissing) && name_ == "dict";
    if (!is_dict || name != "fromkeys") return {};
    return MakeMethod(renderer.arena(), "fromkeys", Value(), &FromKeys);
  }
  Value Call(Renderer& renderer, const Arguments& arguments) override {
    // Methods of long texts read them whole.
    if (self_.Is(Kind::kString)) renderer.arena().Spend(self_.AsString().size() / 16);
    return call_(renderer, self_, arguments);
  }
  bool Equals(Arena& arena, const Object& other, int depth) const override {
    const auto* callable = dynamic_cast<const NativeCallable*>(&other);
    return callable != nullptr && callable->call_ == call_ &&
           jinja::Equals(arena, callable->self_, self_, depth + 1);
  }
  void Print(TextBuilder& out, int /*depth*/) const override {
    out.Append(self_.Is(Kind::kMissing) ? "<function " : "<built-in method ");
    out.Append(name_);
    if (!self_.Is(Kind::kMissing)) {
      out.Append(" of ");
      out.Append(jinja::TypeName(self_));
      out.Append(" object");
    }
    out.Append('>');
  }

 private:
  static Value FromKeys(Renderer& renderer, const Value&, const Arguments& arguments) {
    const auto [keys, value] = Bind("fromkeys", arguments, {"iterable", "value"}, 1);
    Dict* dict = renderer.arena().New<Dict>(renderer.arena());
    Iterator& iterator = IteratorOver(renderer, keys);
    for (Value key; iterator.Next(&key);) dict->Set(key, IsGiven(value) ? value : Value::None());
    return Value::Of(dict);
  }

  std::string_view name_;
  Value self_;
  NativeFunction call_;
};

// dict(…): the entries of a mapping or of pairs, then the named arguments.
Dict* MakeDict(Renderer& renderer, const Arguments& arguments) {
  Dict* dict = renderer.arena().New<Dict>(renderer.arena());
  if (arguments.positional.size() > 1) {
    Raise(FailureKind::kType, "dict expected at most 1 argument, got {}",
          arguments.positional.size());
  }
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.Is(Kind::kDict)) {
      for (const auto& [key, value] : source.AsDict().entries()) dict->Set(key, value);
    } else {
      Iterator& pairs = IteratorOver(renderer, source);
      for (Value pair; pairs.Next(&pair);) {
        const auto items = ItemsOf(renderer, pair);
        if (items.size() != 2) {
          Raise(FailureKind::kValue,
                "dictionary update sequence element has length {}; 2 is required", items.size());
        }
        dict->Set(items[0], items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict->Set(Value::String(name), value);
  return dict;
}

Value CallDict(Renderer& renderer, const Value&, const Arguments& arguments) {
  return Value::Of(MakeDict(renderer, arguments));
}

Value CallNamespace(Renderer& renderer, const Value&, const Arguments& arguments) {
  auto* variables = renderer.arena().New<Namespace>(renderer.arena());
  for (const auto& [key, value] : MakeDict(renderer, arguments)->entries()) {
    variables->Set(ToString(key, "a namespace's attribute name"), value);
  }
  return Value::Of(variables);
}

Value CallRange(Renderer& renderer, const Value&, const Arguments& arguments) {
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) {
    Raise(FailureKind::kType, "range expected 1 to 3 arguments, got {}", given.size());
  }
  std::array<std::int64_t, 3> bounds = {0, 0, 1};
  if (given.size() == 1) {
    bounds[1] = ToInt(given[0], "range()'s bound");
  } else {
    for (std::size_t i = 0; i < given.size(); ++i) bounds[i] = ToInt(given[i], "range()'s bound");
  }
  return Value::Of(renderer.arena().New<Range>(bounds[0], bounds[1], bounds[2]));
}

Value CallRaiseException(Renderer& renderer, const Value&, const Arguments& arguments) {
  const auto [message] = Bind("raise_exception", arguments, {"message"}, 1);
  throw Failure(FailureKind::kRaised, std::string(ToText(renderer.arena(), message)));
}

// datetime.now().strftime(format): local time without a zone.
Value CallStrftimeNow(Renderer& renderer, const Value&, const Arguments& arguments) {
  const auto [format_value] = Bind("strftime_now", arguments, {"format"}, 1);
  const std::string_view format = ToString(format_value, "strftime_now's format");
  const std::time_t seconds = std::chrono::system_clock::to_time_t(renderer.now());
  const auto since_second = renderer.now() - std::chrono::system_clock::from_time_t(seconds);
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(since_second).count();
  std::tm local = {};
  localtime_r(&seconds, &local);
  TextBuilder out(renderer.arena());
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out.Append(format[i]);
      continue;
    }
    std::string directive = {'%', format[++i]};
    if ((directive[1] == '-' || directive[1] == '_' || directive[1] == '0' || directive[1] == '^' ||
         directive[1] == '#') &&
        i + 1 < format.size()) {  // glibc's flags, which Python passes on
      directive.push_back(format[++i]);
    }
    const char type = directive.back();
    if (type == 'f') {
      out.Append(fmt::format("{:06}", microseconds));
    } else if (type != 'z' && type != 'Z') {
      std::array<char, 256> buffer;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      const std::size_t length =
          std::strftime(buffer.data(), buffer.size(), directive.c_str(), &local);
#pragma GCC diagnostic pop
      out.Append({buffer.data(), length});
    }
  }
  return Value::String(out.Finish());
}

// jinja2's cycler: hands out its items in turn.
class Cycler final : public Object {
 public:
  explicit Cycler(std::span<const Value> items) : items_(items) {}
  std::string_view TypeName() const override { return "Cycler"; }
  Value Attribute(Renderer& renderer, std::string_view name) override {
    if (name == "current") return items_[position_];
    if (name == "next") {
      return MakeMethod(renderer.arena(), "next", Value::Of(this),
                        [](Renderer&, const Value& self, const Arguments&) {
                          return static_cast<Cycler&>(self.AsObject()).Next();
                        });
    }
    if (name == "reset") {
      return MakeMethod(renderer.arena(), "reset", Value::Of(this),
                        [](Renderer&, const Value& self, const Arguments&) {
                          static_cast<Cycler&>(self.AsObject()).position_ = 0;
                          return Value::None();
                        });
    }
    return {};
  }

 private:
  Value Next() {
    const Value value = items_[position_];
    position_ = (position_ + 1) % items_.size();
    return value;
  }

  std::span<const Value> items_;
  std::size_t position_ = 0;
};

Value CallCycler(Renderer& renderer, const Value&, const Arguments& arguments) {
  if (arguments.positional.empty()) {
    Raise(FailureKind::kType, "at least one item has to be provided");
  }
  return Value::Of(renderer.arena().New<Cycler>(arguments.positional));
}

// jinja2's joiner: empty at its first call, its separator from then on.
class Joiner final : public Object {
 public:
  explicit Joiner(const Value& separator) : separator_(separator) {}
  std::string_view TypeName() const override { return "Joiner"; }
  bool IsCallable() const override { return true; }
  Value Call(Renderer&, const Arguments&) override {
    if (used_) return separator_;
    used_ = true;
    return Value::String("");
  }

 private:
  Value separator_;
  bool used_ = false;
};

Value CallJoiner(Renderer& renderer, const Value&, const Arguments& arguments) {
  const auto [separator] = Bind("joiner", arguments, {"sep"});
  return Value::Of(
      renderer.arena().New<Joiner>(separator.Is(Kind::kMissing) ? Value::String(", ") : separator));
}

}  // namespace

Value MakeMethod(Arena& arena, std::string_view name, const Value& self, NativeFunction call) {
  return Value::Of(arena.New<NativeCallable>(name, self, call));
}

Value FindGlobal(Arena& arena, std::string_view name) {
  struct Global {
    std::string_view name;
    NativeFunction call;
  };
  constexpr Global kGlobals[] = {
      {"range", CallRange},
      {"dict", CallDict},
      {"namespace", CallNamespace},
      {"cycler", CallCycler},
      {"joiner", CallJoiner},
      {"raise_exception", CallRaiseException},
      {"strftime_now", CallStrftimeNow},
  };
  for (const Global& global : kGlobals) {
    if (global.name == name) return MakeMethod(arena, global.name, Value(), global.call);
  }
  return {};
}

}  // namespace switchyard::model::jinja
