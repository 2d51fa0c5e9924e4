// The syntax tree of a template. Immutable once parsed and bound, and shared by all renderings.
// Variables are resolved at parse time to a frame (so many frames up) and a slot in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

struct FilterEntry;
struct TestEntry;

enum class ExprKind : std::uint8_t {
  kLiteral,
  kName,
  kNamespaceRef,
  kSequence,
  kDict,
  kNot,
  kSign,
  kArithmetic,
  kLogical,
  kConcat,
  kCompare,
  kConditional,
  kAttribute,
  kSubscript,
  kSlice,
  kCall,
  kFilter,
  kTest,
};

struct Expr {
  explicit Expr(ExprKind k)
      : kind(k),
        is_constant(k != ExprKind::kName && k != ExprKind::kNamespaceRef && k != ExprKind::kCall),
        has_slice(k == ExprKind::kSlice) {}
  virtual ~Expr() = default;
  // jinja2 computes constants when it compiles; that shows only in slices.
  bool folds() const { return is_constant && has_slice; }

  ExprKind kind;
  bool is_constant;  // reads no variable and calls nothing
  bool has_slice;    // in the tree below, itself included
  int line = 1;
  int depth = 1;  // of the tree below, itself included
};
using ExprPtr = std::unique_ptr<Expr>;

struct VariableRef {
  int frames_up = 0;
  int slot = 0;
};

struct Literal final : Expr {
  Literal() : Expr(ExprKind::kLiteral) {}
  std::string text;  // what a string value points into
  Value value;
};

struct Name final : Expr {
  Name() : Expr(ExprKind::kName) {}
  std::string name;
  VariableRef variable;
};

struct NamespaceRef final : Expr {  // the target of {% set name.attribute = … %}
  NamespaceRef() : Expr(ExprKind::kNamespaceRef) {}
  std::string name;
  std::string attribute;
  VariableRef variable;
};

struct Sequence final : Expr {
  Sequence() : Expr(ExprKind::kSequence) {}
  bool is_tuple = false;
  std::vector<ExprPtr> items;
};

struct DictDisplay final : Expr {
  DictDisplay() : Expr(ExprKind::kDict) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};

struct Not final : Expr {
  Not() : Expr(ExprKind::kNot) {}
  ExprPtr operand;
};

struct Sign final : Expr {
  Sign() : Expr(ExprKind::kSign) {}
  bool negative = false;
  ExprPtr operand;
};

struct Arithmetic final : Expr {
  Arithmetic() : Expr(ExprKind::kArithmetic) {}
  ArithmeticOp op = ArithmeticOp::kAdd;
  ExprPtr left;
  ExprPtr right;
};

struct Logical final : Expr {  // and, or; n-ary, as both are associative
  Logical() : Expr(ExprKind::kLogical) {}
  bool is_or = false;
  std::vector<ExprPtr> operands;
};

struct Concat final : Expr {
  Concat() : Expr(ExprKind::kConcat) {}
  std::vector<ExprPtr> operands;
};

enum class CompareOp : std::uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Compare final : Expr {
  Compare() : Expr(ExprKind::kCompare) {}
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};

struct Conditional final : Expr {
  Conditional() : Expr(ExprKind::kConditional) {}
  ExprPtr condition;
  ExprPtr then;
  ExprPtr otherwise;  // null without an else
};

struct Attribute final : Expr {
  Attribute() : Expr(ExprKind::kAttribute) {}
  ExprPtr object;
  std::string name;
};

struct Subscript final : Expr {
  Subscript() : Expr(ExprKind::kSubscript) {}
  ExprPtr object;
  ExprPtr index;
};

struct Slice final : Expr {
  Slice() : Expr(ExprKind::kSlice) {}
  ExprPtr object;
  ExprPtr start;  // each null where left out
  ExprPtr stop;
  ExprPtr step;
};

struct ArgumentList {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr more_positional;  // *args, or null
  ExprPtr more_named;       // **kwargs, or null
};

struct Call final : Expr {
  Call() : Expr(ExprKind::kCall) {}
  ExprPtr callee;
  ArgumentList arguments;
};

struct Filter final : Expr {
  Filter() : Expr(ExprKind::kFilter) {}
  ExprPtr input;  // null in a filter block: the block's text
  std::string name;
  const FilterEntry* filter = nullptr;  // null: unknown, fails where it is reached
  ArgumentList arguments;
};

struct Test final : Expr {
  Test() : Expr(ExprKind::kTest) {}
  ExprPtr input;
  std::string name;
  const TestEntry* test = nullptr;
  ArgumentList arguments;
};

// A frame's variables and what each holds when the frame is entered.
struct FrameLayout {
  enum class Source : std::uint8_t {
    kUnset,     // undefined until assigned
    kArgument,  // set by whoever enters the frame
    kContext,   // the context's variable of this name
    kOuter,     // a copy of an enclosing frame's variable
  };
  struct Slot {
    std::string name;
    Source source = Source::kUnset;
    VariableRef outer;  // for kOuter; frames_up counts from this frame
  };
  std::vector<Slot> slots;
};

enum class StatementKind : std::uint8_t {
  kOutput,
  kIf,
  kFor,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kSet,
  kSetBlock,
  kWith,
  kGeneration,
  kBreak,
  kContinue,
};

struct Statement {
  explicit Statement(StatementKind k) : kind(k) {}
  virtual ~Statement() = default;
  StatementKind kind;
  int line = 1;
};
using Block = std::vector<std::unique_ptr<Statement>>;

struct Output final : Statement {
  Output() : Statement(StatementKind::kOutput) {}
  std::vector<ExprPtr> parts;
};

struct If final : Statement {
  If() : Statement(StatementKind::kIf) {}
  std::vector<std::pair<ExprPtr, Block>> branches;
  Block otherwise;
};

struct For final : Statement {
  For() : Statement(StatementKind::kFor) {}
  ExprPtr target;
  ExprPtr iterable;
  ExprPtr condition;  // null without an if
  bool is_recursive = false;
  Block body;
  Block otherwise;
  FrameLayout body_frame;
  FrameLayout condition_frame;
  FrameLayout otherwise_frame;
  int loop_slot = -1;  // of `loop` in body_frame; -1 where the body never reads it
  // The target's names as the condition's frame sees them.
  ExprPtr condition_target;
};

// What macros and call blocks share.
struct MacroBody {
  std::string name;  // empty for a call block's caller
  std::vector<std::string> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Block body;
  FrameLayout frame;
  std::vector<int> parameter_slots;
  int caller_slot = -1;
  int kwargs_slot = -1;
  int varargs_slot = -1;
  bool has_caller_parameter = false;
};

struct MacroStatement final : Statement {
  MacroStatement() : Statement(StatementKind::kMacro) {}
  MacroBody macro;
  VariableRef variable;
};

struct CallBlock final : Statement {
  CallBlock() : Statement(StatementKind::kCallBlock) {}
  MacroBody caller;
  std::unique_ptr<Call> call;
};

struct FilterBlock final : Statement {
  FilterBlock() : Statement(StatementKind::kFilterBlock) {}
  std::unique_ptr<Expr> filter;
  Block body;
  FrameLayout frame;
};

struct Set final : Statement {
  Set() : Statement(StatementKind::kSet) {}
  ExprPtr target;
  ExprPtr value;
};

struct SetBlock final : Statement {
  SetBlock() : Statement(StatementKind::kSetBlock) {}
  ExprPtr target;
  ExprPtr filter;  // null without one
  Block body;
  FrameLayout frame;
};

struct With final : Statement {
  With() : Statement(StatementKind::kWith) {}
  std::vector<ExprPtr> targets;
  std::vector<ExprPtr> values;
  Block body;
  FrameLayout frame;
};

struct Generation final : Statement {  // transformers' mark around what the assistant says
  Generation() : Statement(StatementKind::kGeneration) {}
  Block body;
  FrameLayout frame;
};

struct Jump final : Statement {  // break, continue
  using Statement::Statement;
};

struct Tree {
  Block body;
  FrameLayout frame;
};

}  // namespace switchyard::model::jinja
