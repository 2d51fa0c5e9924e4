#include "model/internal/jinja/renderer.h"

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/functions.h"
#include "model/internal/jinja/iteration.h"
#include "model/internal/jinja/loop.h"
#include "model/internal/jinja/macro.h"
#include "model/internal/jinja/printing.h"
#include "model/internal/jinja/renderer_capture.h"

namespace switchyard::model::jinja {
namespace {

// Yields the items for which a loop's own condition holds, evaluated as the loop goes.
class FilteredItems final : public Iterator {
 public:
  FilteredItems(Renderer& renderer, const For& node, Frame* outer, Iterator& source)
      : renderer_(renderer),
        node_(node),
        frame_(renderer.NewFrame(node.condition_frame, outer)),
        source_(renderer.arena(), source) {}
  bool Next(Value* value) override {
    while (source_.Next(value)) {
      renderer_.arena().Spend(1);
      if (renderer_.LoopConditionHolds(node_, frame_, *value)) return true;
    }
    return false;
  }

 private:
  Renderer& renderer_;
  const For& node_;
  Frame* frame_;
  Source source_;
};

// jinja2's marker for a variable without a value, which a template gets to see where a macro reads
// a loop's target after the loop.
class Gone final : public Object {
 public:
  std::string_view TypeName() const override { return "MissingType"; }
  void Print(TextBuilder& out, int /*depth*/) const override { out.Append("missing"); }
};

}  // namespace

Renderer::Renderer(const Tree& tree, const base::Json& context,
                   std::chrono::system_clock::time_point now, const RenderLimits& limits)
    : tree_(tree), context_(context), now_(now), arena_(limits) {}

std::string Renderer::Render() {
  TextBuilder out(arena_, arena_.limits().max_output_bytes);
  out_ = &out;
  RunBlock(tree_.body, NewFrame(tree_.frame, nullptr));
  return out.Text();
}

Value Renderer::FromJson(const base::Json& json, int depth) {
  if (depth > kMaxValueDepth) {
    Raise(FailureKind::kLimit, "the context is nested deeper than {} levels", kMaxValueDepth);
  }
  arena_.Spend(1);
  switch (json.type()) {
    case base::Json::value_t::boolean:
      return Value::Bool(json.get<bool>());
    case base::Json::value_t::number_integer:
      return Value::Int(json.get<std::int64_t>());
    case base::Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(INT64_MAX)) {
        Raise(FailureKind::kValue, "the context's integer {} is beyond 64 signed bits", number);
      }
      return Value::Int(static_cast<std::int64_t>(number));
    }
    case base::Json::value_t::number_float:
      return Value::Float(json.get<double>());
    case base::Json::value_t::string:
      return Value::String(json.get_ref<const std::string&>());
    case base::Json::value_t::array: {
      ListBuilder items(arena_);
      for (const base::Json& item : json) items.Append(FromJson(item, depth + 1));
      return Value::List(items.Finish());
    }
    case base::Json::value_t::object: {
      Dict* dict = arena_.New<Dict>(arena_);
      for (const auto& [key, value] : json.get_ref<const base::Json::object_t&>()) {
        dict->Set(Value::String(key), FromJson(value, depth + 1));
      }
      return Value::Of(dict);
    }
    default:
      return Value::None();
  }
}

Value Renderer::Lookup(const std::string& name) {
  const auto known = looked_up_.find(name);
  if (known != looked_up_.end()) return known->second;
  Value value;
  if (context_.is_object() && context_.contains(name)) {
    value = FromJson(context_.at(name), 0);
  } else {
    value = FindGlobal(arena_, name);
  }
  looked_up_.emplace(name, value);
  return value;
}

Frame* Renderer::NewFrame(const FrameLayout& layout, Frame* parent) {
  Frame* frame = arena_.New<Frame>();
  frame->parent = parent;
  Value* slots = arena_.AllocateArray<Value>(layout.slots.size());
  std::uninitialized_default_construct_n(slots, layout.slots.size());
  frame->slots = {slots, layout.slots.size()};
  EnterFrame(layout, frame);
  return frame;
}

void Renderer::EnterFrame(const FrameLayout& layout, Frame* frame) {
  for (std::size_t i = 0; i < layout.slots.size(); ++i) {
    const FrameLayout::Slot& slot = layout.slots[i];
    switch (slot.source) {
      case FrameLayout::Source::kUnset:
      case FrameLayout::Source::kArgument:
        frame->slots[i] = Value();
        break;
      case FrameLayout::Source::kContext:
        frame->slots[i] = Lookup(slot.name);
        break;
      case FrameLayout::Source::kOuter:
        frame->slots[i] = SlotOf(slot.outer, frame);
        break;
    }
  }
}

Frame* Renderer::InnerFrame(const FrameLayout& layout, Frame* parent) {
  const auto [place, is_new] = inner_frames_.try_emplace({parent, &layout});
  if (is_new) {
    arena_.Charge(sizeof(*place) + 4 * sizeof(void*));
    place->second = NewFrame(layout, parent);
  } else {
    EnterFrame(layout, place->second);
  }
  return place->second;
}

void Renderer::LeaveFrame(const FrameLayout& layout, Frame* frame) {
  for (std::size_t i = 0; i < layout.slots.size(); ++i) {
    const bool is_argument = layout.slots[i].source == FrameLayout::Source::kArgument;
    frame->slots[i] = is_argument ? Value::Of(arena_.New<Gone>()) : Value();
  }
}

Value& Renderer::SlotOf(const VariableRef& variable, Frame* frame) {
  for (int i = 0; i < variable.frames_up; ++i) frame = frame->parent;
  return frame->slots[static_cast<std::size_t>(variable.slot)];
}

void Renderer::Print(const Value& value) { PrintText(value, *out_); }

Renderer::Flow Renderer::RunBlock(const Block& block, Frame* frame) {
  for (const auto& statement : block) {
    const Flow flow = Run(*statement, frame);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Renderer::Flow Renderer::Run(const Statement& statement, Frame* frame) {
  DepthGuard depth(arena_);
  arena_.Spend(1);
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::kOutput:
      for (const ExprPtr& part : static_cast<const Output&>(statement).parts) {
        Value constant;
        Print(part->folds() && Fold(*part, /*takes_undefined=*/true, &constant)
                  ? constant
                  : Eval(*part, frame));
      }
      return Flow::kNormal;
    case StatementKind::kIf:
      return RunIf(static_cast<const If&>(statement), frame);
    case StatementKind::kFor: {
      const auto& node = static_cast<const For&>(statement);
      return RunFor(node, frame, Eval(*node.iterable, frame), 0);
    }
    case StatementKind::kMacro: {
      const auto& node = static_cast<const MacroStatement&>(statement);
      SlotOf(node.variable, frame) = Value::Of(arena_.New<Macro>(node.macro, frame));
      return Flow::kNormal;
    }
    case StatementKind::kCallBlock:
      RunCallBlock(static_cast<const CallBlock&>(statement), frame);
      return Flow::kNormal;
    case StatementKind::kFilterBlock:
      return RunFilterBlock(static_cast<const FilterBlock&>(statement), frame);
    case StatementKind::kSet: {
      const auto& node = static_cast<const Set&>(statement);
      Assign(*node.target, Eval(*node.value, frame), frame);
      return Flow::kNormal;
    }
    case StatementKind::kSetBlock:
      return RunSetBlock(static_cast<const SetBlock&>(statement), frame);
    case StatementKind::kWith:
      return RunWith(static_cast<const With&>(statement), frame);
    case StatementKind::kGeneration: {
      const auto& node = static_cast<const Generation&>(statement);
      RunBlock(node.body, NewFrame(node.frame, frame));
      return Flow::kNormal;
    }
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Renderer::Flow Renderer::RunIf(const If& node, Frame* frame) {
  for (const auto& [condition, body] : node.branches) {
    if (IsTrue(Eval(*condition, frame))) return RunBlock(body, frame);
  }
  return RunBlock(node.otherwise, frame);
}

bool Renderer::LoopConditionHolds(const For& node, Frame* frame, const Value& item) {
  EnterFrame(node.condition_frame, frame);
  Assign(*node.condition_target, item, frame);
  return IsTrue(Eval(*node.condition, frame));
}

Renderer::Flow Renderer::RunFor(const For& node, Frame* frame, const Value& iterable, int depth) {
  line_ = node.line;
  Iterator* source = &IteratorOver(*this, iterable);
  if (node.condition) source = arena_.New<FilteredItems>(*this, node, frame, *source);
  Loop* loop = nullptr;
  if (node.loop_slot >= 0) {
    loop = arena_.New<Loop>(*this, node, frame, iterable, *source, depth);
    source = loop;
  }
  // A recursive loop's body is a function of its own.
  Frame* body =
      node.is_recursive ? NewFrame(node.body_frame, frame) : InnerFrame(node.body_frame, frame);
  bool completed = false;  // a pass reached the body's end: jinja2's sign against the else branch
  bool is_first = true;
  for (Value item; source->Next(&item); is_first = false) {
    arena_.Spend(1);
    if (!is_first) EnterFrame(node.body_frame, body);
    if (loop != nullptr) body->slots[static_cast<std::size_t>(node.loop_slot)] = Value::Of(loop);
    Assign(*node.target, item, body);
    const Flow flow = RunBlock(node.body, body);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNormal) completed = true;
    line_ = node.line;
  }
  if (!node.is_recursive || !node.otherwise.empty()) LeaveFrame(node.body_frame, body);
  if (completed || node.otherwise.empty()) return Flow::kNormal;
  return RunInner(node.otherwise, node.otherwise_frame, frame);
}

Value Renderer::RunRecursiveLoop(const For& node, Frame* outer, const Value& iterable, int depth) {
  DepthGuard guard(arena_);
  const int line = line_;
  Capture capture(*this);
  RunFor(node, outer, iterable, depth);
  line_ = line;
  return capture.Finish();
}

Renderer::Flow Renderer::RunInner(const Block& block, const FrameLayout& layout, Frame* frame) {
  Frame* inner = InnerFrame(layout, frame);
  const Flow flow = RunBlock(block, inner);
  LeaveFrame(layout, inner);
  return flow;
}

Renderer::Flow Renderer::RunSetBlock(const SetBlock& node, Frame* frame) {
  Frame* inner = InnerFrame(node.frame, frame);
  Value value;
  {
    Capture capture(*this);
    const Flow flow = RunBlock(node.body, inner);
    if (flow != Flow::kNormal) return flow;
    value = capture.Finish();
  }
  if (node.filter) value = EvalFilter(static_cast<const Filter&>(*node.filter), inner, &value);
  LeaveFrame(node.frame, inner);
  Assign(*node.target, value, frame);
  return Flow::kNormal;
}

Renderer::Flow Renderer::RunFilterBlock(const FilterBlock& node, Frame* frame) {
  Frame* inner = InnerFrame(node.frame, frame);
  Value text;
  {
    Capture capture(*this);
    const Flow flow = RunBlock(node.body, inner);
    if (flow != Flow::kNormal) return flow;
    text = capture.Finish();
  }
  Print(EvalFilter(static_cast<const Filter&>(*node.filter), inner, &text));
  LeaveFrame(node.frame, inner);
  return Flow::kNormal;
}

Renderer::Flow Renderer::RunWith(const With& node, Frame* frame) {
  Frame* inner = InnerFrame(node.frame, frame);
  for (std::size_t i = 0; i < node.targets.size(); ++i) {
    Assign(*node.targets[i], Eval(*node.values[i], frame), inner);
  }
  const Flow flow = RunBlock(node.body, inner);
  LeaveFrame(node.frame, inner);
  return flow;
}

void Renderer::RunCallBlock(const CallBlock& node, Frame* frame) {
  const Value caller = Value::Of(arena_.New<Macro>(node.caller, frame));
  const Value text = EvalCall(*node.call, frame, caller);
  // jinja2 joins what the call gives to the output as it is.
  if (!text.Is(Kind::kString)) {
    Raise(FailureKind::kType, "a call block's call must give a text, not {}", TypeName(text));
  }
  Print(text);
}

void Renderer::Assign(const Expr& target, const Value& value, Frame* frame) {
  switch (target.kind) {
    case ExprKind::kName:
      SlotOf(static_cast<const Name&>(target).variable, frame) = value;
      return;
    case ExprKind::kNamespaceRef: {
      const auto& reference = static_cast<const NamespaceRef&>(target);
      const Value object = SlotOf(reference.variable, frame);
      auto* variables =
          object.Is(Kind::kObject) ? dynamic_cast<Namespace*>(&object.AsObject()) : nullptr;
      if (variables == nullptr) {
        Raise(FailureKind::kRuntime, "cannot assign attribute on non-namespace object");
      }
      variables->Set(reference.attribute, value);
      return;
    }
    default:
      break;
  }
  const auto& targets = static_cast<const Sequence&>(target).items;
  if (FindIterator(*this, value) == nullptr) {
    Raise(FailureKind::kType, "cannot unpack non-iterable {} object", TypeName(value));
  }
  Iterator& items = IteratorOver(*this, value);
  Value item;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!items.Next(&item)) {
      Raise(FailureKind::kValue, "not enough values to unpack (expected {}, got {})",
            targets.size(), i);
    }
    Assign(*targets[i], item, frame);
  }
  if (items.Next(&item)) {
    Raise(FailureKind::kValue, "too many values to unpack (expected {})", targets.size());
  }
}

}  // namespace switchyard::model::jinja
