#include "protocol/template_traits.h"

#include <utility>

namespace switchyard::protocol {
namespace {

using base::ErrorCode;
using base::Json;

// Nine letters, so that every template takes it.
constexpr std::string_view kProbeId = "probe0001";

Json User() { return {{"role", "user"}, {"content", "probe_question"}}; }

Json ProbeTools() {
  return Json::array(
      {{{"type", "function"},
        {"function",
         {{"name", "probe_tool"},
          {"description", "probe"},
          {"parameters",
           {{"type", "object"},
            {"properties", {{"probe_key", {{"type", "string"}, {"description", "probe"}}}}},
            {"required", Json::array({"probe_key"})}}}}}}});
}

Json ProbeConversation(Json content, Json arguments, int calls) {
  const Json call = {{"id", kProbeId},
                     {"type", "function"},
                     {"function", {{"name", "probe_tool"}, {"arguments", std::move(arguments)}}}};
  const Json result = {{"role", "tool"},
                       {"tool_call_id", kProbeId},
                       {"name", "probe_tool"},
                       {"content", "probe_result"}};
  Json messages = Json::array({User()});
  messages.push_back({{"role", "assistant"},
                      {"content", std::move(content)},
                      {"tool_calls", Json(static_cast<std::size_t>(calls), call)}});
  for (int i = 0; i < calls; ++i) messages.push_back(result);
  return messages;
}

Json Context(Json messages, Json tools) {
  return {{"messages", std::move(messages)},
          {"tools", std::move(tools)},
          {"documents", nullptr},
          {"add_generation_prompt", true}};
}

void ProbeCalls(const RenderTemplate& render, TemplateTraits& traits) {
  const Json object = {{"probe_key", "probe_value"}};
  for (const bool text_arguments : {false, true}) {
    const Json arguments = text_arguments ? Json(object.dump()) : object;
    for (const bool null_content : {true, false}) {
      const Json content = null_content ? Json() : Json("");
      const auto text = render(Context(ProbeConversation(content, arguments, 1), ProbeTools()));
      if (!text || !text->contains("probe_value") || !text->contains("probe_result")) continue;
      // Python's word for it, which a template wrote as if it were text.
      if (null_content && text->contains("None")) continue;
      traits.writes_calls = true;
      traits.text_arguments = text_arguments;
      traits.null_content = null_content;
      traits.one_call_only =
          !render(Context(ProbeConversation(content, arguments, 2), ProbeTools()));
      return;
    }
  }
}

std::string ShortId(const std::string& id) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (id.size() == 9 && std::ranges::all_of(id, is_plain)) return id;
  // The same id must become the same wherever it stands: FNV-1a,
  // http://www.isthe.com/chongo/tech/comp/fnv/.
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  std::string text;
  for (; text.size() < 9; hash /= 36) text += "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 36];
  return text;
}

std::string SpellCalls(const ToolFormat& format, const Json& calls) {
  std::string text(format.spelling.before_calls);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Json& function = calls[i]["function"];
    if (i > 0) text += format.spelling.between_calls;
    text += SpellCall(format, function["name"].get<std::string>(),
                      function["arguments"].get<std::string>());
  }
  return text += format.spelling.after_calls;
}

// For a template that knows neither calls nor results.
void TellCallsAsText(const ToolFormat& format, Json& messages) {
  Json told = Json::array();
  bool behind_result = false;
  for (Json& message : messages) {
    const bool is_result = message["role"] == "tool";
    if (is_result) {
      const std::string result = "<tool_response>\n" + message["content"].get<std::string>() +
                                 "\n</tool_response>";
      if (behind_result) {
        told.back()["content"].get_ref<std::string&>() += "\n" + result;
      } else {
        told.push_back({{"role", "user"}, {"content", result}});
      }
    } else {
      if (message.contains("tool_calls")) {
        auto& content = message["content"].get_ref<std::string&>();
        if (!content.empty()) content += "\n";
        content += SpellCalls(format, message["tool_calls"]);
        message.erase("tool_calls");
      }
      told.push_back(std::move(message));
    }
    behind_result = is_result;
  }
  messages = std::move(told);
}

// Each call in a message of its own, its result behind it.
void SplitCalls(Json& messages) {
  Json split = Json::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Json& message = messages[i];
    const std::size_t calls = message.contains("tool_calls") ? message["tool_calls"].size() : 0;
    if (calls < 2) {
      split.push_back(std::move(message));
      continue;
    }
    std::size_t results = 0;
    while (i + results + 1 < messages.size() && messages[i + results + 1]["role"] == "tool") {
      ++results;
    }
    for (std::size_t call = 0; call < calls; ++call) {
      Json one = message;
      if (call > 0) one["content"] = "";
      one["tool_calls"] = Json::array({message["tool_calls"][call]});
      split.push_back(std::move(one));
      if (call < results) split.push_back(messages[i + call + 1]);
    }
    for (std::size_t extra = calls; extra < results; ++extra) {
      split.push_back(messages[i + extra + 1]);
    }
    i += results;
  }
  messages = std::move(split);
}

void ShapeCalls(const TemplateTraits& traits, Json& messages) {
  for (Json& message : messages) {
    if (traits.format->has_short_ids && message.contains("tool_call_id")) {
      message["tool_call_id"] = ShortId(message["tool_call_id"].get<std::string>());
    }
    if (!message.contains("tool_calls")) continue;
    if (traits.null_content && message["content"] == "") message["content"] = nullptr;
    for (Json& call : message["tool_calls"]) {
      if (traits.format->has_short_ids) call["id"] = ShortId(call["id"].get<std::string>());
      Json& arguments = call["function"]["arguments"];
      if (traits.text_arguments) continue;
      // Checked when the request was read.
      if (auto object = base::ParseJson(arguments.get<std::string>(), "arguments")) {
        arguments = std::move(*object);
      }
    }
  }
}

void TellTools(const ChatInput& input, const TemplateTraits& traits, Json& messages) {
  const std::string text = ToolInstructions(*traits.format, *input.tools.tools);
  const std::string_view role = traits.writes_system ? "system" : "user";
  for (Json& message : messages) {
    if (message["role"] != role) {
      if (traits.writes_system) break;  // only the first message can be the system's
      continue;
    }
    auto& content = message["content"].get_ref<std::string&>();
    content = traits.writes_system ? content + "\n\n" + text : text + "\n\n" + content;
    return;
  }
  messages.insert(messages.begin(), Json({{"role", role}, {"content", text}}));
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \n\r\t\f\v";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Ends the prompt where the last message's text does.
base::Status CutAfterLastMessage(const std::string& content, std::string& prompt) {
  const std::string_view wanted = Trimmed(content);
  const std::size_t at = prompt.rfind(wanted);
  if (wanted.empty() || at == std::string::npos) {
    return base::Fail(ErrorCode::kInvalidArgument,
                      "the last message cannot be continued: the model's chat template does not "
                      "write its text as it stands");
  }
  // With the blanks at its end, where the template kept them.
  const std::string_view kept =
      std::string_view(content).substr(content.find(wanted));
  const bool has_blanks = std::string_view(prompt).substr(at).starts_with(kept);
  prompt.resize(at + (has_blanks ? kept.size() : wanted.size()));
  return {};
}

}  // namespace

std::string TemplateTraits::ToolsText() const {
  std::string text(format->name);
  if (!is_recognised) {
    return text + ", told in words: the chat template has no form for tools that is known here";
  }
  text += ", by the chat template";
  if (!writes_tools) text += ", which does not tell the tools themselves: they are told in words";
  return text;
}

TemplateTraits ProbeTemplate(std::string_view source, const RenderTemplate& render) {
  TemplateTraits traits;
  traits.reasoning = RecogniseReasoning(source);
  const auto system = render(Context(
      Json::array({Json({{"role", "system"}, {"content", "probe_system"}}), User()}), nullptr));
  traits.writes_system = system && system->contains("probe_system");
  const ToolFormat* format = RecogniseToolFormat(source);
  if (format == nullptr) return traits;
  traits.format = format;
  traits.is_recognised = true;
  const auto told = render(Context(Json::array({User()}), ProbeTools()));
  traits.writes_tools = told && told->contains("probe_tool") && told->contains("probe_key");
  ProbeCalls(render, traits);
  return traits;
}

base::Json TemplateContext(const ChatInput& input, const TemplateTraits& traits) {
  Json messages = input.messages;
  if (!traits.writes_calls) {
    TellCallsAsText(*traits.format, messages);
  } else {
    if (traits.one_call_only) SplitCalls(messages);
    ShapeCalls(traits, messages);
  }
  Json tools = input.tools.Definitions();
  if (!tools.is_null() && !traits.writes_tools) {
    TellTools(input, traits, messages);
    tools = nullptr;
  }
  Json context = input.fields.variables;
  context["messages"] = std::move(messages);
  context["tools"] = std::move(tools);
  context["documents"] = input.fields.documents;
  context["add_generation_prompt"] = input.fields.add_generation_prompt;
  return context;
}

base::Result<RenderedChat> RenderChat(const ChatInput& input, const TemplateTraits& traits,
                                      const RenderTemplate& render) {
  RenderedChat chat;
  SWITCHYARD_TRY(chat.text, render(TemplateContext(input, traits)));
  if (!input.fields.continue_final_message) {
    chat.begins_in_reasoning =
        traits.reasoning && Trimmed(chat.text).ends_with(traits.reasoning->open);
    return chat;
  }
  const std::string content = input.messages.back()["content"].get<std::string>();
  SWITCHYARD_RETURN_IF_ERROR(CutAfterLastMessage(content, chat.text));
  if (traits.reasoning) {
    const std::size_t open = content.rfind(traits.reasoning->open);
    chat.begins_in_reasoning = open != std::string::npos &&
                               content.find(traits.reasoning->close, open) == std::string::npos;
  }
  return chat;
}

}  // namespace switchyard::protocol
