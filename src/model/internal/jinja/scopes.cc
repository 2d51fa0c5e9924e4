#include "model/internal/jinja/scopes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "model/internal/jinja/ast_walk.h"
#include "model/internal/jinja/failure.h"

namespace switchyard::model::jinja {
namespace {

using SlotSource = FrameLayout::Source;

// The variables of one frame while its statements are read. The branches of an if are overlays of
// their frame (`base`) until they merge into it.
class Scope {
 public:
  explicit Scope(const Scope* parent, const Scope* base = nullptr) : parent_(parent), base_(base) {}

  const Scope* parent() const { return parent_; }
  int slot(const std::string& name) const {
    const auto found = slots_.find(name);
    return found == slots_.end() ? -1 : found->second;
  }

  bool HasOwn(const std::string& name) const {
    return sources_.contains(name) || (base_ != nullptr && base_->HasOwn(name));
  }
  bool Has(const std::string& name) const {
    return HasOwn(name) || (parent_ != nullptr && parent_->Has(name));
  }

  void Load(const std::string& name) {
    if (!Has(name)) sources_[name] = SlotSource::kContext;
  }
  void Store(const std::string& name) {
    stores_.insert(name);
    if (HasOwn(name)) return;
    sources_[name] = IsOuter(name) ? SlotSource::kOuter : SlotSource::kUnset;
  }
  void DeclareArgument(const std::string& name) {
    stores_.insert(name);
    sources_[name] = SlotSource::kArgument;
  }

  // Joins the branches of an if. A variable that only some branch assigns starts with what the
  // outside has under its name.
  void Merge(std::span<const Scope> branches) {
    std::set<std::string> new_stores;
    for (const Scope& branch : branches) {
      for (const std::string& name : branch.stores_) {
        if (!Stores(name)) new_stores.insert(name);
      }
    }
    for (const Scope& branch : branches) {
      for (const auto& [name, source] : branch.sources_) sources_[name] = source;
      stores_.insert(branch.stores_.begin(), branch.stores_.end());
    }
    for (const std::string& name : new_stores) {
      sources_[name] = IsOuter(name) ? SlotSource::kOuter : SlotSource::kContext;
    }
  }

  // Numbers the frame's variables.
  FrameLayout Freeze() {
    FrameLayout layout;
    for (const auto& [name, source] : sources_) {
      slots_[name] = static_cast<int>(layout.slots.size());
      layout.slots.push_back({name, source, {}});
      if (source == SlotSource::kOuter) layout.slots.back().outer = Resolve(name, true);
    }
    return layout;
  }

  VariableRef Resolve(const std::string& name, bool skips_own = false) const {
    VariableRef variable;
    const Scope* scope = this;
    if (skips_own) {
      scope = parent_;
      ++variable.frames_up;
    }
    for (; scope != nullptr; scope = scope->parent_, ++variable.frames_up) {
      variable.slot = scope->slot(name);
      if (variable.slot >= 0) return variable;
    }
    Raise(FailureKind::kSyntax, "the variable '{}' has no scope", name);
  }

 private:
  bool IsOuter(const std::string& name) const { return parent_ != nullptr && parent_->Has(name); }
  bool Stores(const std::string& name) const {
    return stores_.contains(name) || (base_ != nullptr && base_->Stores(name));
  }

  const Scope* parent_;
  const Scope* base_;
  std::map<std::string, SlotSource> sources_;
  std::set<std::string> stores_;
  std::map<std::string, int> slots_;
};

// Which of some names a body reads before it assigns them, nested frames included.
class NameSearch {
 public:
  explicit NameSearch(std::set<std::string> names) : names_(std::move(names)) {}

  bool Found(const std::string& name) const { return found_.contains(name); }

  void Read(Block& block) {
    for (auto& statement : block) ReadStatement(*statement);
  }

 private:
  void ReadExpr(Expr& expr) {
    if (expr.kind == ExprKind::kName) {
      const std::string& name = static_cast<Name&>(expr).name;
      if (names_.contains(name)) found_.insert(name);
      return;
    }
    ForEachChild(expr, [this](Expr& child) { ReadExpr(child); });
  }

  void Assign(Expr& target) {
    if (target.kind == ExprKind::kName) names_.erase(static_cast<Name&>(target).name);
    ForEachChild(target, [this](Expr& child) { Assign(child); });
  }

  void ReadMacro(MacroBody& macro) {
    for (const std::string& parameter : macro.parameters) names_.erase(parameter);
    for (ExprPtr& value : macro.defaults) ReadExpr(*value);
    Read(macro.body);
  }

  void ReadStatement(Statement& statement) {
    switch (statement.kind) {
      case StatementKind::kOutput:
        for (ExprPtr& part : static_cast<Output&>(statement).parts) ReadExpr(*part);
        return;
      case StatementKind::kIf: {
        auto& node = static_cast<If&>(statement);
        for (auto& [condition, body] : node.branches) {
          ReadExpr(*condition);
          Read(body);
        }
        return Read(node.otherwise);
      }
      case StatementKind::kFor: {
        auto& node = static_cast<For&>(statement);
        Assign(*node.target);
        ReadExpr(*node.iterable);
        Read(node.body);
        Read(node.otherwise);
        if (node.condition) ReadExpr(*node.condition);
        return;
      }
      case StatementKind::kMacro:
        return ReadMacro(static_cast<MacroStatement&>(statement).macro);
      case StatementKind::kCallBlock: {
        auto& node = static_cast<CallBlock&>(statement);
        ReadExpr(*node.call);
        return ReadMacro(node.caller);
      }
      case StatementKind::kFilterBlock: {
        auto& node = static_cast<FilterBlock&>(statement);
        Read(node.body);
        return ReadExpr(*node.filter);
      }
      case StatementKind::kSet: {
        auto& node = static_cast<Set&>(statement);
        Assign(*node.target);
        return ReadExpr(*node.value);
      }
      case StatementKind::kSetBlock: {
        auto& node = static_cast<SetBlock&>(statement);
        Assign(*node.target);
        if (node.filter) ReadExpr(*node.filter);
        return Read(node.body);
      }
      case StatementKind::kWith: {
        auto& node = static_cast<With&>(statement);
        for (ExprPtr& target : node.targets) Assign(*target);
        for (ExprPtr& value : node.values) ReadExpr(*value);
        return Read(node.body);
      }
      case StatementKind::kGeneration:
        return Read(static_cast<Generation&>(statement).body);
      case StatementKind::kBreak:
      case StatementKind::kContinue:
        return;
    }
  }

  std::set<std::string> names_;
  std::set<std::string> found_;
};

// Enters into `scope` what one frame's expressions and statements read and assign; nested frames
// count only for what they take from this one.
class Collector {
 public:
  explicit Collector(Scope* scope) : scope_(scope) {}

  void Read(Expr& expr) {
    if (expr.kind == ExprKind::kName) scope_->Load(static_cast<Name&>(expr).name);
    ForEachChild(expr, [this](Expr& child) { Read(child); });
  }

  void Assign(Expr& target, bool as_argument = false) {
    if (target.kind == ExprKind::kName) {
      const std::string& name = static_cast<Name&>(target).name;
      as_argument ? scope_->DeclareArgument(name) : scope_->Store(name);
    } else if (target.kind == ExprKind::kNamespaceRef) {
      scope_->Load(static_cast<NamespaceRef&>(target).name);
    }
    ForEachChild(target, [&](Expr& child) { Assign(child, as_argument); });
  }

  void Read(Block& block) {
    for (auto& statement : block) ReadStatement(*statement);
  }

 private:
  using Branch = std::pair<ExprPtr, Block>;

  void ReadStatement(Statement& statement) {
    switch (statement.kind) {
      case StatementKind::kOutput:
        for (ExprPtr& part : static_cast<Output&>(statement).parts) Read(*part);
        return;
      case StatementKind::kIf:
        return ReadIf(static_cast<If&>(statement));
      case StatementKind::kFor:
        return Read(*static_cast<For&>(statement).iterable);
      case StatementKind::kMacro:
        return scope_->Store(static_cast<MacroStatement&>(statement).macro.name);
      case StatementKind::kCallBlock:
        return Read(*static_cast<CallBlock&>(statement).call);
      case StatementKind::kFilterBlock:
        return Read(*static_cast<FilterBlock&>(statement).filter);
      case StatementKind::kSet: {
        auto& node = static_cast<Set&>(statement);
        Read(*node.value);
        return Assign(*node.target);
      }
      case StatementKind::kSetBlock:
        return Assign(*static_cast<SetBlock&>(statement).target);
      case StatementKind::kWith:
        for (ExprPtr& value : static_cast<With&>(statement).values) Read(*value);
        return;
      case StatementKind::kGeneration:
      case StatementKind::kBreak:
      case StatementKind::kContinue:
        return;
    }
  }

  template <typename Visit>
  Scope Overlay(Visit visit) {
    Scope* original = scope_;
    Scope branch(original->parent(), original);
    scope_ = &branch;
    visit();
    scope_ = original;
    return branch;
  }

  void ReadIf(If& node) {
    Read(*node.branches.front().first);
    const Scope branches[] = {
        Overlay([&] { Read(node.branches.front().second); }),
        Overlay([&] {
          for (Branch& branch : std::span(node.branches).subspan(1)) {
            Read(*branch.first);
            const Scope body[] = {Overlay([&] { Read(branch.second); })};
            scope_->Merge(body);
          }
        }),
        Overlay([&] { Read(node.otherwise); }),
    };
    scope_->Merge(branches);
  }

  Scope* scope_;
};

// Walks the tree with the finished scopes and writes the references into it.
class Binder {
 public:
  explicit Binder(int* line) : line_(*line) {}

  void BindTemplate(Tree* tree) {
    Scope scope(nullptr);
    Collector(&scope).Read(tree->body);
    tree->frame = scope.Freeze();
    BindBlock(tree->body, scope);
  }

 private:
  void BindExpr(Expr& expr, const Scope& scope) {
    if (expr.kind == ExprKind::kName) {
      auto& name = static_cast<Name&>(expr);
      name.variable = scope.Resolve(name.name);
    } else if (expr.kind == ExprKind::kNamespaceRef) {
      auto& reference = static_cast<NamespaceRef&>(expr);
      reference.variable = scope.Resolve(reference.name);
    }
    ForEachChild(expr, [&](Expr& child) { BindExpr(child, scope); });
  }

  void BindBlock(Block& block, const Scope& scope) {
    for (auto& statement : block) BindStatement(*statement, scope);
  }

  FrameLayout BindFrame(Block& body, const Scope& outer) {
    Scope scope(&outer);
    Collector(&scope).Read(body);
    FrameLayout layout = scope.Freeze();
    BindBlock(body, scope);
    return layout;
  }

  void BindStatement(Statement& statement, const Scope& scope) {
    line_ = statement.line;
    switch (statement.kind) {
      case StatementKind::kOutput:
        for (ExprPtr& part : static_cast<Output&>(statement).parts) BindExpr(*part, scope);
        return;
      case StatementKind::kIf: {
        auto& node = static_cast<If&>(statement);
        for (auto& [condition, body] : node.branches) {
          BindExpr(*condition, scope);
          BindBlock(body, scope);
        }
        return BindBlock(node.otherwise, scope);
      }
      case StatementKind::kFor:
        return BindFor(static_cast<For&>(statement), scope);
      case StatementKind::kMacro: {
        auto& node = static_cast<MacroStatement&>(statement);
        BindMacro(node.macro, scope);
        node.variable = scope.Resolve(node.macro.name);
        return;
      }
      case StatementKind::kCallBlock: {
        auto& node = static_cast<CallBlock&>(statement);
        BindMacro(node.caller, scope);
        return BindExpr(*node.call, scope);
      }
      case StatementKind::kFilterBlock: {
        auto& node = static_cast<FilterBlock&>(statement);
        Scope inner(&scope);
        Collector collector(&inner);
        collector.Read(node.body);
        collector.Read(*node.filter);
        node.frame = inner.Freeze();
        BindBlock(node.body, inner);
        return BindExpr(*node.filter, inner);
      }
      case StatementKind::kSet: {
        auto& node = static_cast<Set&>(statement);
        BindExpr(*node.target, scope);
        return BindExpr(*node.value, scope);
      }
      case StatementKind::kSetBlock: {
        auto& node = static_cast<SetBlock&>(statement);
        Scope inner(&scope);
        Collector collector(&inner);
        collector.Read(node.body);
        if (node.filter) collector.Read(*node.filter);
        node.frame = inner.Freeze();
        BindBlock(node.body, inner);
        if (node.filter) BindExpr(*node.filter, inner);
        return BindExpr(*node.target, scope);
      }
      case StatementKind::kWith:
        return BindWith(static_cast<With&>(statement), scope);
      case StatementKind::kGeneration: {
        auto& node = static_cast<Generation&>(statement);
        node.frame = BindFrame(node.body, scope);
        return;
      }
      case StatementKind::kBreak:
      case StatementKind::kContinue:
        return;
    }
  }

  static void RefuseLoopTarget(Expr& target) {
    if (target.kind == ExprKind::kName && static_cast<Name&>(target).name == "loop") {
      Raise(FailureKind::kSyntax, "Can't assign to special loop variable in for-loop target");
    }
    ForEachChild(target, RefuseLoopTarget);
  }

  static ExprPtr CloneTarget(const Expr& target) {
    if (target.kind == ExprKind::kName) {
      auto copy = std::make_unique<Name>();
      copy->line = target.line;
      copy->name = static_cast<const Name&>(target).name;
      return copy;
    }
    auto copy = std::make_unique<Sequence>();
    copy->line = target.line;
    copy->is_tuple = true;
    copy->depth = target.depth;
    for (const ExprPtr& item : static_cast<const Sequence&>(target).items) {
      copy->items.push_back(CloneTarget(*item));
    }
    return copy;
  }

  void BindFor(For& node, const Scope& scope) {
    RefuseLoopTarget(*node.target);
    NameSearch search({"loop"});
    search.Read(node.body);
    Scope body(&scope);
    const bool reads_loop = search.Found("loop") || node.is_recursive;
    if (reads_loop) body.DeclareArgument("loop");
    Collector collector(&body);
    collector.Assign(*node.target, true);
    collector.Read(node.body);
    node.body_frame = body.Freeze();
    if (reads_loop) node.loop_slot = body.slot("loop");
    BindExpr(*node.target, body);
    BindBlock(node.body, body);

    if (node.condition) {
      Scope condition(&scope);
      Collector condition_collector(&condition);
      node.condition_target = CloneTarget(*node.target);
      condition_collector.Assign(*node.condition_target, true);
      condition_collector.Read(*node.condition);
      node.condition_frame = condition.Freeze();
      BindExpr(*node.condition_target, condition);
      BindExpr(*node.condition, condition);
    }
    node.otherwise_frame = BindFrame(node.otherwise, scope);
    BindExpr(*node.iterable, scope);
  }

  void BindMacro(MacroBody& macro, const Scope& scope) {
    Scope inner(&scope);
    for (const std::string& parameter : macro.parameters) inner.DeclareArgument(parameter);
    Collector collector(&inner);
    for (ExprPtr& value : macro.defaults) collector.Read(*value);
    collector.Read(macro.body);
    NameSearch search({"caller", "kwargs", "varargs"});
    search.Read(macro.body);
    const auto has_parameter = [&](std::string_view name) {
      return std::find(macro.parameters.begin(), macro.parameters.end(), name) !=
             macro.parameters.end();
    };
    const auto declare = [&](const std::string& name) {
      const bool declared = search.Found(name) && !has_parameter(name);
      if (declared) inner.DeclareArgument(name);
      return declared;
    };
    macro.has_caller_parameter = has_parameter("caller");
    if (search.Found("caller") && macro.has_caller_parameter) RequireCallerDefault(macro);
    const bool caller = declare("caller");
    const bool kwargs = declare("kwargs");
    const bool varargs = declare("varargs");
    macro.frame = inner.Freeze();
    if (caller) macro.caller_slot = inner.slot("caller");
    if (kwargs) macro.kwargs_slot = inner.slot("kwargs");
    if (varargs) macro.varargs_slot = inner.slot("varargs");
    for (const std::string& parameter : macro.parameters) {
      macro.parameter_slots.push_back(inner.slot(parameter));
    }
    for (ExprPtr& value : macro.defaults) BindExpr(*value, inner);
    BindBlock(macro.body, inner);
  }

  static void RequireCallerDefault(const MacroBody& macro) {
    const std::size_t required = macro.parameters.size() - macro.defaults.size();
    for (std::size_t i = 0; i < required; ++i) {
      if (macro.parameters[i] == "caller") {
        Raise(FailureKind::kSyntax,
              "When defining macros or call blocks the special \"caller\" argument must be omitted "
              "or be given a default.");
      }
    }
  }

  void BindWith(With& node, const Scope& scope) {
    Scope inner(&scope);
    Collector collector(&inner);
    for (ExprPtr& target : node.targets) collector.Assign(*target, true);
    collector.Read(node.body);
    node.frame = inner.Freeze();
    for (ExprPtr& target : node.targets) BindExpr(*target, inner);
    for (ExprPtr& value : node.values) BindExpr(*value, scope);
    BindBlock(node.body, inner);
  }

  int& line_;
};

}  // namespace

void BindVariables(Tree* tree, int* line) { Binder(line).BindTemplate(tree); }

}  // namespace switchyard::model::jinja
