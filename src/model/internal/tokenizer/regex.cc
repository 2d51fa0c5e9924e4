#include "model/internal/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "model/internal/tokenizer/regex_syntax.h"
#include "model/internal/unicode/tables.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {

template <auto Free>
struct FreeBy {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using CodePointer = std::unique_ptr<pcre2_code, FreeBy<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, FreeBy<pcre2_compile_context_free>>;
using MatchBlock = std::unique_ptr<pcre2_match_data, FreeBy<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, FreeBy<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, FreeBy<pcre2_jit_stack_free>>;

namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::size_t kMaxPatternBytes = 16 * 1024;
// Room for the backtracking of any pattern that tokenizers use; what needs more fails cleanly.
constexpr std::size_t kMaxJitStackBytes = 4 * 1024 * 1024;
constexpr std::uint32_t kMaxHeapKib = 64 * 1024;
// Enough for most matches, wherever they begin. What needs more takes it from a budget: honest
// patterns take a few steps a character (a run of spaces is scanned and given back).
constexpr std::uint64_t kFreeSteps = 256;
constexpr std::uint64_t kSpareSteps = 1'000'000;
constexpr std::uint64_t kSpareStepsPerByte = 64;

PCRE2_SPTR Units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::string ReasonOf(int code) {
  std::array<PCRE2_UCHAR, 160> reason{};
  pcre2_get_error_message(code, reason.data(), reason.size());
  return reinterpret_cast<const char*>(reason.data());
}

// `text` with younger characters replaced by their stand-ins, of equal length; false if none.
bool ReplaceYounger(std::string_view text, std::string* replaced) {
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0xE0) {  // none is below U+0800
      ++i;
      continue;
    }
    const std::size_t start = i;
    const char32_t point = unicode::NextPoint(text, &i);
    const auto next =
        std::ranges::upper_bound(unicode::kReclassified, point, {}, &unicode::Reclassified::first);
    if (next == unicode::kReclassified.begin() || point > std::prev(next)->last) continue;
    if (!any) replaced->assign(text);
    any = true;
    std::string stand_in;
    unicode::AppendUtf8(std::prev(next)->stand_in, &stand_in);
    replaced->replace(start, i - start, stand_in);
  }
  return any;
}

}  // namespace

struct RegexScratch::State {
  State() {
    pcre2_set_heap_limit(context.get(), kMaxHeapKib);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }

  MatchBlock match{pcre2_match_data_create(1, nullptr)};
  std::uint64_t spare_steps = kSpareSteps;
  MatchContext context{pcre2_match_context_create(nullptr)};
  JitStack stack{pcre2_jit_stack_create(32 * 1024, kMaxJitStackBytes, nullptr)};
};

RegexScratch::RegexScratch() = default;
RegexScratch::~RegexScratch() = default;

struct Regex::Program {
  CodePointer code;
  std::string shown;  // of the pattern, in errors
};

// A text in which a pattern is searched for. Each method gives what pcre2_match returns.
class RegexScratch::Search {
 public:
  Search(const pcre2_code* code, std::string_view text, State* state)
      : code_(code), text_(text), state_(*state) {}

  // The first match that begins at `from` or behind.
  int First(std::size_t from) {
    const int found = Match(from, 0, kFreeSteps);
    if (found != PCRE2_ERROR_MATCHLIMIT) return found;
    // PCRE2 counts anew wherever a match may begin, and doesn't say where it ran into the limit.
    while (from <= text_.size()) {
      const int here = At(from);
      if (here != PCRE2_ERROR_NOMATCH) return here;
      from += from < text_.size() ? unicode::Utf8Length(text_[from]) : 1;
    }
    return PCRE2_ERROR_NOMATCH;
  }

 private:
  // The match that begins at `at`.
  int At(std::size_t at) {
    for (std::uint64_t steps = kFreeSteps;; steps *= 4) {
      const int found = Match(at, PCRE2_ANCHORED, steps);
      if (found != PCRE2_ERROR_MATCHLIMIT || steps > state_.spare_steps) return found;
      state_.spare_steps -= steps;
    }
  }

  int Match(std::size_t from, std::uint32_t options, std::uint64_t steps) {
    pcre2_set_match_limit(state_.context.get(),
                          static_cast<std::uint32_t>(std::min<std::uint64_t>(steps, UINT32_MAX)));
    const auto match = [&](std::uint32_t how) {
      return pcre2_match(code_, Units(text_), text_.size(), from, how | PCRE2_NO_UTF_CHECK,
                         state_.match.get(), state_.context.get());
    };
    const int found = match(options);
    return found == PCRE2_ERROR_JIT_STACKLIMIT ? match(options | PCRE2_NO_JIT) : found;
  }

  const pcre2_code* code_;
  std::string_view text_;
  State& state_;
};

Regex::Regex(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

base::Result<Regex> Regex::Compile(std::string_view pattern) {
  const std::string_view shown =
      pattern.substr(0, unicode::CompleteUtf8Length(pattern.substr(0, 80)));
  if (pattern.size() > kMaxPatternBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "the regular expression '{}...' has {} bytes; at most {} are accepted", shown,
                pattern.size(), kMaxPatternBytes);
  }
  auto rewritten = RewriteForPcre2(pattern);
  if (!rewritten) return Rethrow(rewritten.error(), "the regular expression '{}'", shown);

  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  constexpr std::uint32_t kOptions =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
  int code = 0;
  PCRE2_SIZE offset = 0;
  CodePointer compiled(
      pcre2_compile(Units(*rewritten), rewritten->size(), kOptions, &code, &offset, context.get()));
  if (!compiled) {
    return Fail(ErrorCode::kInvalidArgument, "the regular expression '{}' is not valid: {}", shown,
                ReasonOf(code));
  }
  // Where the machine or the pattern has no JIT, PCRE2 interprets.
  pcre2_jit_compile(compiled.get(), PCRE2_JIT_COMPLETE);
  return Regex(std::make_unique<Program>(std::move(compiled), std::string(shown)));
}

base::Status Regex::FindAll(std::string_view text, RegexScratch* scratch,
                            std::vector<Span>* matches) const {
  std::string replaced;
  if (ReplaceYounger(text, &replaced)) text = replaced;
  if (!scratch->state_) scratch->state_ = std::make_unique<RegexScratch::State>();
  RegexScratch::State& state = *scratch->state_;
  state.spare_steps += kSpareStepsPerByte * text.size();
  RegexScratch::Search search(program_->code.get(), text, &state);
  std::size_t from = 0;
  std::size_t last_end = std::string_view::npos;
  while (from <= text.size()) {
    const int found = search.First(from);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the tokenizer's pattern '{}' fails {} bytes into a text of {}: {}; shorten the "
                  "text or use another tokenizer",
                  program_->shown, from, text.size(), ReasonOf(found));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(state.match.get());
    // \K in a lookaround can put the start behind the end.
    if (ends[0] > ends[1] || ends[0] < from) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the tokenizer's pattern '{}' matches backwards, {} bytes into a text",
                  program_->shown, from);
    }
    if (ends[0] == ends[1] && ends[1] == last_end) {  // an empty match right behind the last one
      from += from < text.size() ? unicode::Utf8Length(text[from]) : 1;
      continue;
    }
    matches->push_back({ends[0], ends[1]});
    from = last_end = ends[1];
  }
  return {};
}

}  // namespace switchyard::model::tokenization
