// Chat templates: the Jinja dialect that model files carry, compiled once and rendered many times.
// Immutable after Parse, so any thread may render. Rendering is bounded in steps, depth and output.
#pragma once

#include <chrono>
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
  // kInvalidArgument, with the line and what is wrong with it.
  static base::Result<ChatTemplate> Parse(std::string_view source);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // `context` is the template's globals as transformers passes them: messages, tools, documents,
  // add_generation_prompt, bos_token, eos_token, and whatever else the caller has. `now` is what
  // strftime_now shows, in local time. A template's raise_exception ends in kInvalidArgument with
  // its words, any other failure in kInvalidArgument with its line, and a template that outgrows
  // the bounds on steps, depth, memory or output in kResourceExhausted.
  base::Result<std::string> Render(
      const base::Json& context,
      std::chrono::system_clock::time_point now = std::chrono::system_clock::now()) const;

 private:
  explicit ChatTemplate(std::unique_ptr<jinja::Template> compiled);
  std::unique_ptr<jinja::Template> compiled_;
};

}  // namespace switchyard::model
