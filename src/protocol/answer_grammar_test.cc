#include "protocol/answer_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "grammar/matcher.h"
#include "protocol/choice_writer.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

using base::Json;

const std::vector<const ToolFormat*>& Formats() {
  static const std::vector<const ToolFormat*> formats = {
      &HermesFormat(),  &QwenCoderFormat(), &LlamaJsonFormat(),
      &MistralFormat(), &DeepSeekFormat(),  &KimiFormat()};
  return formats;
}

// A chat with the tools get_weather(city, days) and now().
CompletionRequest Request(const Json& fields, bool is_strict = false) {
  Json body = Json::parse(R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":[
      {"type":"function","function":{"name":"get_weather","parameters":{"type":"object",
        "properties":{"city":{"enum":["Bonn","Köln"]},"days":{"type":"integer"}},
        "required":["city","days"],"additionalProperties":false}}},
      {"type":"function","function":{"name":"now"}}]})");
  body["tools"][0]["function"]["strict"] = is_strict;
  if (!fields.empty()) body.update(fields);
  auto request = ParseCompletionRequest(Endpoint::kChat, body.dump());
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return std::move(*request);
}

AnswerForm Form(const CompletionRequest& request, const ToolFormat* format) {
  AnswerForm form;
  form.format = format;
  form.tools = request.chat.tools.tools;
  return form;
}

// A vocabulary of the bytes that text has, and of the marks of the formats as special tokens if they
// are.
struct Words {
  std::vector<std::string> marks;
  std::shared_ptr<const grammar::Vocabulary> vocabulary;

  explicit Words(bool are_special) {
    grammar::VocabularyBytes bytes;
    for (int byte = 0; byte < 256; ++byte) {
      bytes.tokens.emplace_back(byte < 0xF8 ? 1 : 0, static_cast<char>(byte));
    }
    if (are_special) {
      for (const ToolFormat* format : Formats()) {
        for (const auto* list :
             {&format->preludes, &format->openers, &format->closers, &format->inner}) {
          for (const std::string_view mark : *list) {
            if (mark.size() > 3) marks.emplace_back(mark);
          }
        }
      }
      marks.insert(marks.end(), {"<think>", "</think>"});
      for (const std::string& mark : marks) bytes.tokens.push_back(grammar::SpecialSpelling(mark));
    }
    vocabulary = std::make_shared<const grammar::Vocabulary>(std::move(bytes));
  }

  std::string Text(std::int32_t token) const {
    if (token < 256) return {static_cast<char>(token)};
    return marks[static_cast<std::size_t>(token) - 256];
  }
};

std::shared_ptr<const grammar::CompiledGrammar> Compiled(const CompletionRequest& request,
                                                         const AnswerForm& form,
                                                         const Words& words) {
  const auto grammar = AnswerGrammar(request, form, [&](std::string_view mark) {
    return std::ranges::find(words.marks, mark) != words.marks.end();
  });
  EXPECT_TRUE(grammar) << (grammar ? "" : grammar.error().message);
  auto compiled = grammar::CompiledGrammar::Compile(*grammar, words.vocabulary);
  EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().message);
  return std::move(*compiled);
}

bool Allows(const CompletionRequest& request, const AnswerForm& form, std::string_view text) {
  grammar::Matcher matcher(Compiled(request, form, Words(false)));
  return matcher.AcceptText(text) && matcher.is_complete();
}

TEST(AnswerGrammar, IsNeededWhereSomethingIsPromised) {
  EXPECT_FALSE(NeedsGrammar(Request({})));
  EXPECT_FALSE(NeedsGrammar(Request({{"tool_choice", "none"}}, true)));
  EXPECT_TRUE(NeedsGrammar(Request({}, true)));
  EXPECT_TRUE(NeedsGrammar(Request({{"tool_choice", "required"}})));
  EXPECT_TRUE(NeedsGrammar(Request({{"response_format", {{"type", "json_object"}}}})));
}

constexpr std::string_view kCall =
    "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bonn\", \"days\": 3}}\n"
    "</tool_call>";
constexpr std::string_view kNow =
    "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";

TEST(AnswerGrammar, DemandsCalls) {
  const auto request = Request({{"tool_choice", "required"}});
  const AnswerForm form = Form(request, &HermesFormat());
  const std::string both = std::string(kCall) + "\n" + std::string(kNow);
  EXPECT_TRUE(Allows(request, form, kCall));
  EXPECT_TRUE(Allows(request, form, both));
  EXPECT_FALSE(Allows(request, form, ""));
  EXPECT_FALSE(Allows(request, form, "Hello"));
  EXPECT_FALSE(Allows(request, form,
                      "<tool_call>\n{\"name\": \"nope\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_FALSE(Allows(
      request, form, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}}\n</tool_call>"));
  const auto single = Request({{"tool_choice", "required"}, {"parallel_tool_calls", false}});
  EXPECT_TRUE(Allows(single, form, kNow));
  EXPECT_FALSE(Allows(single, form, both));
  const auto named = Request(Json::parse(
      R"({"tool_choice":{"type":"function","function":{"name":"now"}}})"));
  EXPECT_TRUE(Allows(named, Form(named, &HermesFormat()), kNow));
  EXPECT_FALSE(Allows(named, Form(named, &HermesFormat()), kCall));
}

TEST(AnswerGrammar, HoldsStrictToolsToTheirSchemaAmongText) {
  const auto request = Request({}, true);
  const AnswerForm form = Form(request, &HermesFormat());
  const std::string call(kCall);
  EXPECT_TRUE(Allows(request, form, "Hello <tool."));
  EXPECT_TRUE(Allows(request, form, "I look.\n" + call + "\nSo."));
  EXPECT_FALSE(Allows(request, form,
                      "I look. <tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}}\n"
                      "</tool_call>"));
  const AnswerForm bare = Form(request, &LlamaJsonFormat());
  EXPECT_TRUE(Allows(request, bare, "It {rains}."));
  EXPECT_TRUE(Allows(request, bare, "{\"name\": \"now\", \"parameters\": {}}"));
  EXPECT_FALSE(Allows(request, bare, " {\"name\": \"get_weather\", \"parameters\": {}}"));
}

TEST(AnswerGrammar, LeavesRoomForReasoning) {
  const auto request = Request({{"tool_choice", "required"}});
  AnswerForm form = Form(request, &HermesFormat());
  form.reasoning = {"<think>", "</think>"};
  const std::string now(kNow);
  EXPECT_TRUE(Allows(request, form, now));
  EXPECT_TRUE(Allows(request, form, "<think>\nHm. <tool_call>\n</think>\n\n" + now));
  EXPECT_FALSE(Allows(request, form, "Hm.</think>" + now));
  form.begins_in_reasoning = true;
  EXPECT_TRUE(Allows(request, form, "Hm.</think>\n\n" + now));
  EXPECT_FALSE(Allows(request, form, now));
}

TEST(AnswerGrammar, GivesContentItsFormUnlessThereAreCalls) {
  const auto request = Request({{"structured_outputs", {{"regex", "a+"}}}});
  const AnswerForm form = Form(request, &HermesFormat());
  EXPECT_TRUE(Allows(request, form, "aaa"));
  EXPECT_TRUE(Allows(request, form, kNow));
  EXPECT_FALSE(Allows(request, form, "b"));
  EXPECT_FALSE(Allows(request, form, "a" + std::string(kNow)));
}

TEST(AnswerGrammar, SaysWhichSchemaCannotBeFollowed) {
  const Json odd = Json::parse(R"([{"type":"function","function":{"name":"odd","strict":true,
      "parameters":{"type":"object","properties":{"a":{"not":{}}},"required":["a"],
      "additionalProperties":false}}}])");
  const auto strict = Request({{"tools", odd}});
  const auto is_special = [](std::string_view) { return false; };
  const auto refused = AnswerGrammar(strict, Form(strict, &HermesFormat()), is_special);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().param, "tools");
  EXPECT_NE(refused.error().message.find("'odd'"), std::string::npos);
  Json lax = odd;
  lax[0]["function"]["strict"] = false;
  const auto request = Request({{"tools", lax}, {"tool_choice", "required"}});
  EXPECT_TRUE(Allows(request, Form(request, &HermesFormat()),
                     "<tool_call>\n{\"name\": \"odd\", \"arguments\": {\"x\": [1]}}\n</tool_call>"));
}

// A model that knows nothing writes what its grammar allows; the parser finds the calls in it.
TEST(AnswerGrammar, WhatItAllowsIsReadAsCalls) {
  std::mt19937 random(7);
  const auto request = Request({{"tool_choice", "required"}});
  for (const bool are_special : {false, true}) {
    const Words words(are_special);
    for (const ToolFormat* format : Formats()) {
      SCOPED_TRACE(format->name);
      ChoiceForm form{.answer = Form(request, format)};
      form.answer.reasoning = {"<think>", "</think>"};
      const auto compiled = Compiled(request, form.answer, words);
      int wholes = 0;
      for (int round = 0; round < 40; ++round) {
        grammar::Matcher matcher(compiled);
        std::string text;
        for (int step = 0; step < 600 && !matcher.is_over(); ++step) {
          if (matcher.is_complete() && random() % 3 == 0) break;
          const auto mask = matcher.NextTokens();
          ASSERT_TRUE(mask);
          std::vector<std::int32_t> next;
          for (std::int32_t token = 0; token < static_cast<std::int32_t>(words.vocabulary->size());
               ++token) {
            if ((*mask)->Allows(token)) next.push_back(token);
          }
          ASSERT_FALSE(next.empty()) << text;
          const std::int32_t token = next[random() % next.size()];
          ASSERT_TRUE(matcher.Accept(token));
          text += words.Text(token);
        }
        if (!matcher.is_complete()) continue;
        ++wholes;
        SCOPED_TRACE(text);
        ChoiceWriter writer(form, [] { return std::uint64_t{0}; });
        Choice whole;
        writer.Collect(text, whole);
        writer.EndCollect(false, whole);
        EXPECT_EQ(whole.text, "");
        ASSERT_FALSE(whole.calls.empty());
        EXPECT_EQ(writer.FinishOf(false), Finish::kToolCalls);
        for (const ToolCall& call : whole.calls) {
          const Json arguments = Json::parse(call.arguments);
          if (call.name == "now") {
            EXPECT_EQ(arguments, Json::object());
          } else {
            EXPECT_EQ(call.name, "get_weather");
            EXPECT_TRUE(arguments.at("city") == "Bonn" || arguments.at("city") == "Köln");
            EXPECT_TRUE(arguments.at("days").is_number_integer());
          }
        }
      }
      EXPECT_GT(wholes, 10);
    }
  }
}

}  // namespace
}  // namespace switchyard::protocol
