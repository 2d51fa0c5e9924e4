#include "model/chat_template.h"

#include <utility>

#include "model/internal/jinja/template.h"

namespace switchyard::model {

ChatTemplate::ChatTemplate(std::unique_ptr<jinja::Template> compiled)
    : compiled_(std::move(compiled)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

base::Result<ChatTemplate> ChatTemplate::Parse(std::string_view source) {
  SWITCHYARD_TRY(auto compiled, jinja::Template::Parse(source));
  return ChatTemplate(std::move(compiled));
}

base::Result<std::string> ChatTemplate::Render(const base::Json& context,
                                               std::chrono::system_clock::time_point now) const {
  return compiled_->Render(context, now);
}

}  // namespace switchyard::model
