// What a model's chat template can do, found out by trying it, and a conversation put into the form
// that it takes. Pure but for the calls of the renderer that it is given; any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "protocol/answer_parser.h"
#include "protocol/chat_input.h"

namespace switchyard::protocol {

struct TemplateTraits {
  // How calls are written: as the template's models do, else the generic format.
  const ToolFormat* format = &GenericToolFormat();
  bool is_recognised = false;   // the format, by the template's text
  bool writes_tools = false;    // else they are told in the system message
  bool writes_calls = false;    // and results; else they are told as text
  bool writes_system = true;    // else what we tell goes before the first user's message
  bool text_arguments = false;  // takes a call's arguments as a string, not an object
  bool null_content = false;    // takes null where an assistant only calls, else ""
  bool one_call_only = false;   // refuses messages of more calls than one
  std::optional<ReasoningMarks> reasoning;

  // Two halves of a sentence for the operator: "hermes, by the chat template".
  std::string ToolsText() const;
};

using RenderTemplate = std::function<base::Result<std::string>(base::Json context)>;

TemplateTraits ProbeTemplate(std::string_view source, const RenderTemplate& render);

// The template's globals for `input`, but for the names of special tokens.
base::Json TemplateContext(const ChatInput& input, const TemplateTraits& traits);

struct RenderedChat {
  std::string text;
  bool begins_in_reasoning = false;  // the answer does
};

base::Result<RenderedChat> RenderChat(const ChatInput& input, const TemplateTraits& traits,
                                      const RenderTemplate& render);

}  // namespace switchyard::protocol
