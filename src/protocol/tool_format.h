// How a family of models writes tool calls: which texts begin and end them, and a reader of what
// stands between. One file a family in tool_formats/; a model's family is recognised by its chat
// template. Constant tables; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace switchyard::protocol {

// A function that the model may call.
struct Tool {
  std::string name;
  base::Json definition;  // as chat templates want it: {"type":"function","function":{…}}
  bool strict = false;    // the arguments must follow the schema

  const base::Json& parameters() const { return definition["function"]["parameters"]; }
};

// Whom a reader tells what it has found; calls never overlap.
class CallSink {
 public:
  virtual ~CallSink() = default;
  // `id` is the model's own, or empty.
  virtual void Begin(std::string name, std::string id) = 0;
  // A further piece of the arguments' JSON text.
  virtual void Arguments(std::string_view text) = 0;
  virtual void End() = 0;
};

// Reads what follows the text that opens a call, byte by byte, so that it cannot matter how the
// text was cut into pieces.
class CallReader {
 public:
  enum class Step : std::uint8_t {
    kMore,
    kDone,    // the byte was the last
    kBroken,  // no call goes on with this byte
  };
  virtual ~CallReader() = default;
  virtual Step Push(char byte, CallSink& sink) = 0;
};

// The text of a call in a format, around its name and its arguments.
struct CallSpelling {
  std::string_view before_calls = {};
  std::string_view before_name = {};
  std::string_view before_arguments = {};
  std::string_view after_arguments = {};
  std::string_view between_calls = {};
  std::string_view after_calls = {};
};

struct ToolFormat {
  std::string_view name;
  // Every mark of these lists may be a special token of the vocabulary. None begins another.
  std::vector<std::string_view> preludes = {};  // may precede a call, and say nothing
  std::vector<std::string_view> openers = {};
  std::vector<std::string_view> closers = {};  // may follow a call, and say nothing
  std::vector<std::string_view> inner = {};    // within calls
  // An object that stands where no text did before is a call.
  bool takes_bare_object = false;
  // Ids of calls have nine letters and digits; templates refuse others.
  bool has_short_ids = false;
  CallSpelling spelling;
  // Whether a model with this chat template writes calls so.
  bool (*recognises)(std::string_view chat_template) = nullptr;
  // A reader of what follows `opener`; `tools` outlive it.
  std::unique_ptr<CallReader> (*reader)(std::string_view opener,
                                        std::span<const Tool> tools) = nullptr;
};

// Null: none that we know.
const ToolFormat* RecogniseToolFormat(std::string_view chat_template);

// The format that a model is told in words if its template has none.
const ToolFormat& GenericToolFormat();

// Tools and how to call them, as a text for the system message.
std::string ToolInstructions(const ToolFormat& format, std::span<const Tool> tools);

// A call in the format's spelling, without what stands around all calls.
std::string SpellCall(const ToolFormat& format, std::string_view name, std::string_view arguments);

const Tool* FindTool(std::span<const Tool> tools, std::string_view name);

}  // namespace switchyard::protocol
