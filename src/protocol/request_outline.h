// What a gateway must know of a completion request to choose who answers it, and to ask that one:
// a few fields, and where they lie in the body, which is otherwise passed on as it came. Whoever
// answers reads and checks the rest. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/api_error.h"
#include "protocol/refused_fields.h"

namespace switchyard::protocol {

// One field of the body's object: views into the body.
struct BodyField {
  std::string_view key;
  std::string_view value;
};

struct RequestOutline {
  std::string model;
  bool stream = false;
  bool include_usage = false;
  bool return_token_ids = false;
  bool has_extension = false;  // "switchyard" is there
  bool has_resume = false;     // and asks to go on with an answer
  bool has_tools = false;
  bool has_grammar = false;  // a schema, or any other form that the answer must have
  bool has_logprobs = false;
  bool echo = false;
  std::int64_t n = 1;
  std::int64_t best_of = 0;  // 0: not said
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> seed;
  std::size_t prompts = 1;  // each has n choices
  std::size_t body_bytes = 0;
  std::vector<BodyField> fields;

  // Empty if it is not there.
  std::string_view Find(std::string_view key) const;
};

// 400 if the body is no JSON object, has a field twice that is looked at here, names no model, or
// asks for more than kMostChoices choices.
ApiResult<RequestOutline> ReadOutline(Endpoint endpoint, std::string_view body);

// A body with some fields set: pieces of the old one, and new text between. The body lives as long
// as the edited one is used; it may be moved, not copied.
class EditedBody {
 public:
  explicit EditedBody(std::string_view body) : body_(body) {}

  // In place of the outline's field, or as a new one.
  void Set(const RequestOutline& outline, std::string_view key, std::string json);

  // In their order; valid until the next Set.
  std::vector<std::string_view> Pieces() const;

 private:
  struct Edit {
    std::size_t at;      // in the body
    std::size_t length;  // of what is replaced
    std::string text;
  };
  std::string_view body_;
  std::vector<Edit> edits_;  // in their order in the body
};

}  // namespace switchyard::protocol
