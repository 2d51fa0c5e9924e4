// Renders one template once: walks the tree with the context's variables. Statements are in
// renderer.cc, expressions in renderer_expressions.cc, macros and calls in renderer_calls.cc.
// Fails with Failure; line() then tells where.
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/json.h"
#include "model/internal/jinja/ast.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

struct FilterEntry;
struct TestEntry;

// A running frame; `slots` has one value for each of the layout's.
struct Frame {
  Frame* parent = nullptr;
  std::span<Value> slots;
};

class Renderer {
 public:
  Renderer(const Tree& tree, const base::Json& context, std::chrono::system_clock::time_point now,
           const RenderLimits& limits);

  std::string Render();
  int line() const { return line_; }

  // For filters, functions and methods.
  Arena& arena() { return arena_; }
  std::chrono::system_clock::time_point now() const { return now_; }
  Value Call(const Value& callee, const Arguments& arguments);
  Value CallFilter(std::string_view name, const Value& input, const Arguments& arguments);
  bool CallTest(std::string_view name, const Value& input, const Arguments& arguments);
  Value GetAttribute(const Value& object, std::string_view name);  // object.name
  Value GetItem(const Value& object, const Value& index);          // object[index]
  Value Undefined(std::string_view message);  // that fails with `message` when used

  // For the objects that run parts of the tree.
  Value CallMacro(const MacroBody& macro, Frame* definition, const Arguments& arguments);
  Value RunRecursiveLoop(const For& node, Frame* outer, const Value& iterable, int depth);
  bool LoopConditionHolds(const For& node, Frame* frame, const Value& item);
  Frame* NewFrame(const FrameLayout& layout, Frame* parent);
  void EnterFrame(const FrameLayout& layout, Frame* frame);

 private:
  enum class Flow { kNormal, kBreak, kContinue };
  class Capture;

  // The frame of a statement that jinja2 compiles into its function's own Python variables: the
  // same one whenever `parent` runs the statement, and emptied after it. A macro that outlives the
  // statement finds it so.
  Frame* InnerFrame(const FrameLayout& layout, Frame* parent);
  void LeaveFrame(const FrameLayout& layout, Frame* frame);

  Flow RunBlock(const Block& block, Frame* frame);
  Flow Run(const Statement& statement, Frame* frame);
  Flow RunInner(const Block& block, const FrameLayout& layout, Frame* frame);
  Flow RunIf(const If& node, Frame* frame);
  Flow RunFor(const For& node, Frame* frame, const Value& iterable, int depth);
  Flow RunSetBlock(const SetBlock& node, Frame* frame);
  Flow RunFilterBlock(const FilterBlock& node, Frame* frame);
  Flow RunWith(const With& node, Frame* frame);
  void RunCallBlock(const CallBlock& node, Frame* frame);
  void Assign(const Expr& target, const Value& value, Frame* frame);
  void Print(const Value& value);

  Value Eval(const Expr& expr, Frame* frame);
  Value EvalNode(const Expr& expr, Frame* frame);
  // The value that jinja2 computes when it compiles the template, if it can.
  bool Fold(const Expr& expr, bool takes_undefined, Value* value);
  Value EvalName(const Name& node, Frame* frame);
  Value EvalSequence(const Sequence& node, Frame* frame);
  Value EvalDict(const DictDisplay& node, Frame* frame);
  Value EvalSign(const Sign& node, Frame* frame);
  Value EvalArithmetic(const Arithmetic& node, Frame* frame);
  Value EvalLogical(const Logical& node, Frame* frame);
  Value EvalConcat(const Concat& node, Frame* frame);
  Value EvalCompare(const Compare& node, Frame* frame);
  Value EvalConditional(const Conditional& node, Frame* frame);
  Value EvalAttribute(const Attribute& node, Frame* frame);
  Value EvalSubscript(const Subscript& node, Frame* frame);
  Value EvalSlice(const Slice& node, Frame* frame);
  Value EvalCall(const jinja::Call& node, Frame* frame, const Value& caller);
  Value EvalFilter(const Filter& node, Frame* frame, const Value* block_text = nullptr);
  Value EvalTest(const Test& node, Frame* frame);
  Arguments EvalArguments(const ArgumentList& list, Frame* frame, const Value& caller);

  Value Lookup(const std::string& name);  // in the context, then the globals
  Value FromJson(const base::Json& json, int depth);
  Value& SlotOf(const VariableRef& variable, Frame* frame);
  void ChargeTexts(const Value& input, const Arguments& arguments);

  const Tree& tree_;
  const base::Json& context_;
  std::chrono::system_clock::time_point now_;
  Arena arena_;
  TextBuilder* out_ = nullptr;
  int line_ = 1;
  bool is_folding_ = false;
  std::unordered_map<std::string_view, Value> looked_up_;
  std::map<std::pair<const Frame*, const FrameLayout*>, Frame*> inner_frames_;
};

}  // namespace switchyard::model::jinja
