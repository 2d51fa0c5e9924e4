#include "protocol/answer_grammar.h"

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "grammar/json_schema.h"

namespace switchyard::protocol {
namespace {

using grammar::ExprId;
using grammar::Grammar;
using OutputKind = StructuredOutput::Kind;

bool IsAnyStrict(const ToolFields& tools) {
  return tools.may_call() && std::ranges::any_of(*tools.tools, &Tool::strict);
}

class Writer {
 public:
  Writer(const CompletionRequest& request, const AnswerForm& form,
         const std::function<bool(std::string_view)>& is_special)
      : request_(request), tools_(request.chat.tools), form_(form), is_special_(is_special) {}

  ApiResult<Grammar> Write() {
    auto said = Said();
    if (!said) return std::unexpected(std::move(said.error()));
    whole_.SetRoot(form_.reasoning ? whole_.Sequence({Reasoning(), *said}) : *said);
    return std::move(whole_);
  }

 private:
  // Everything but reasoning.
  ApiResult<ExprId> Said() {
    if (!tools_.may_call()) return Content();
    auto call = AnyCall();
    if (!call) return call;
    const bool is_demanded = tools_.choice == ToolChoice::kRequired;
    if (is_demanded) return Calls(*call);
    const bool is_formed = request_.structured_output.kind != OutputKind::kNone;
    auto content = is_formed ? Content() : ApiResult<ExprId>(FreeText());
    if (!content) return content;
    const ExprId calls = Calls(*call);
    // An object that stands behind a text is none of a call.
    if (is_formed || form_.format->takes_bare_object) return whole_.Choice({calls, *content});
    const ExprId more = whole_.Sequence({calls, *content});
    const std::uint32_t most = tools_.parallel ? grammar::kUnbounded : 1;
    return whole_.Sequence({*content, whole_.Repeat(more, 0, most)});
  }

  ApiResult<ExprId> Content() {
    auto form = ToGrammar(request_.structured_output);
    if (form) return whole_.Import(*form);
    return std::unexpected(InvalidStructuredOutput(request_.structured_output, form.error()));
  }

  ExprId Reasoning() {
    const auto& [open, close] = *form_.reasoning;
    const ExprId blanks = whole_.Repeat(whole_.Literal("\n"), 0, 2);
    const ExprId rest = whole_.Sequence({whole_.TextWithout(close), Mark(close), blanks});
    if (form_.begins_in_reasoning) return rest;
    return whole_.Optional(whole_.Sequence({Mark(open), rest}));
  }

  // A text in which no call begins.
  ExprId FreeText() {
    std::vector<std::string_view> stops;
    for (const auto* marks : {&form_.format->preludes, &form_.format->openers}) {
      // No text holds a special token.
      for (const std::string_view mark : *marks) {
        if (!is_special_(mark)) stops.push_back(mark);
      }
    }
    const ExprId text = whole_.TextWithout(stops);
    if (!form_.format->takes_bare_object) return text;
    const grammar::CharSet blanks = {{' ', ' '}, {'\t', '\t'}, {'\n', '\n'}, {'\r', '\r'}};
    const grammar::CharSet others = blanks.Complement().Without({{'{', '{'}});
    return whole_.Sequence({whole_.Repeat(whole_.Characters(blanks), 0),
                            whole_.Optional(whole_.Sequence({whole_.Characters(others), text}))});
  }

  ExprId Calls(ExprId call) {
    const CallSpelling& spelling = form_.format->spelling;
    std::vector<ExprId> parts = {Spelled(spelling.before_calls), call};
    if (tools_.parallel) {
      parts.push_back(whole_.Repeat(whole_.Sequence({Spelled(spelling.between_calls), call}), 0));
    }
    parts.push_back(Spelled(spelling.after_calls));
    return whole_.Sequence(parts);
  }

  ApiResult<ExprId> AnyCall() {
    const CallSpelling& spelling = form_.format->spelling;
    std::vector<ExprId> calls;
    for (const Tool& tool : *tools_.tools) {
      auto arguments = Arguments(tool);
      if (!arguments) return arguments;
      calls.push_back(whole_.Sequence({Spelled(spelling.before_name), whole_.Literal(tool.name),
                                       Spelled(spelling.before_arguments), *arguments,
                                       Spelled(spelling.after_arguments)}));
    }
    // A rule, so that what comes twice is written once.
    return whole_.Rule(whole_.AddRule("call", whole_.Choice(calls)));
  }

  ApiResult<ExprId> Arguments(const Tool& tool) {
    auto schema = grammar::FromJsonSchema(tool.parameters(), {.blank = {}, .strict = tool.strict});
    if (schema) return whole_.Import(*schema);
    if (tool.strict) {
      return std::unexpected(InvalidField(
          "tools", "invalid_value",
          fmt::format("Invalid schema for function '{}': {}", tool.name, schema.error().message)));
    }
    // Nobody was promised more than an object.
    auto object = grammar::FromJsonSchema({{"type", "object"}});
    if (!object) return std::unexpected(ToApiError(object.error()));
    return whole_.Import(*object);
  }

  ExprId Mark(std::string_view mark) {
    return is_special_(mark) ? whole_.SpecialToken(mark) : whole_.Literal(mark);
  }

  // A text in which the format's marks stand for tokens.
  ExprId Spelled(std::string_view text) {
    const ToolFormat& format = *form_.format;
    std::vector<ExprId> parts;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view mark = SpecialAt(format, text.substr(at));
      if (mark.empty()) {
        ++at;
        continue;
      }
      parts.push_back(whole_.Literal(text.substr(begin, at - begin)));
      parts.push_back(whole_.SpecialToken(mark));
      begin = at += mark.size();
    }
    parts.push_back(whole_.Literal(text.substr(begin)));
    return whole_.Sequence(parts);
  }

  std::string_view SpecialAt(const ToolFormat& format, std::string_view text) const {
    for (const auto* marks : {&format.preludes, &format.openers, &format.closers, &format.inner}) {
      for (const std::string_view mark : *marks) {
        if (text.starts_with(mark) && is_special_(mark)) return mark;
      }
    }
    return "";
  }

  const CompletionRequest& request_;
  const ToolFields& tools_;
  const AnswerForm& form_;
  const std::function<bool(std::string_view)>& is_special_;
  Grammar whole_;
};

}  // namespace

bool NeedsGrammar(const CompletionRequest& request) {
  return request.structured_output.kind != OutputKind::kNone ||
         request.chat.tools.choice == ToolChoice::kRequired || IsAnyStrict(request.chat.tools);
}

std::string GrammarKey(const CompletionRequest& request, const AnswerForm& form) {
  const ToolFields& tools = request.chat.tools;
  base::Json key = {request.structured_output.Key(), form.reasoning.has_value(),
                    form.begins_in_reasoning, static_cast<int>(tools.choice), tools.parallel};
  if (tools.may_call()) {
    for (const Tool& tool : *tools.tools) {
      key.push_back({tool.name, tool.strict, tool.parameters()});
    }
  }
  return base::WriteJson(key);
}

ApiResult<Grammar> AnswerGrammar(const CompletionRequest& request, const AnswerForm& form,
                                 const std::function<bool(std::string_view)>& is_special) {
  return Writer(request, form, is_special).Write();
}

ApiError InvalidGrammar(const CompletionRequest& request, const base::Error& error) {
  if (request.structured_output.kind != OutputKind::kNone) {
    return InvalidStructuredOutput(request.structured_output, error);
  }
  return InvalidField("tools", "invalid_value", fmt::format("Invalid 'tools': {}", error.message));
}

}  // namespace switchyard::protocol
