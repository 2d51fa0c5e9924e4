// Chat templates: the Jinja dialect that model files carry, compiled once and rendered many times.
// Immutable after Parse, so any thread may render. Rendering is bounded in steps, depth and output.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace switchyard::model {

namespace jinja {
class Template;
}

class ChatTemplate {
 public:
  static base::Result<ChatTemplate> Parse(std::string_view source);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // `context` is the template's globals as transformers passes them: messages, tools, documents,
  // add_generation_prompt, bos_token, eos_token, and whatever else the caller has. A template's
  // raise_exception ends in kInvalidArgument with its words.
  base::Result<std::string> Render(const base::Json& context) const;

 private:
  explicit ChatTemplate(std::unique_ptr<jinja::Template> compiled);
  std::unique_ptr<jinja::Template> compiled_;
};

}  // namespace switchyard::model
