// Puts a streamed answer's chunks together as the whole answer that the client asked for: what
// WholeAnswer would have written from the same parts. Of one answer; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "protocol/refused_fields.h"

namespace switchyard::protocol {

class ChunkCollector {
 public:
  explicit ChunkCollector(Endpoint endpoint) : endpoint_(endpoint) {}

  // kInvalidArgument if it is no chunk of an answer.
  base::Status Add(std::string_view chunk);

  // `usage` is an object in JSON.
  std::string Whole(std::string_view usage) const;

 private:
  struct Collected {
    std::string text;  // or a message's content
    std::string reasoning;
    std::map<std::int64_t, base::Json> calls;  // by index
    base::Json logprobs = nullptr;
    base::Json finish = nullptr;
    base::Json prompt_token_ids = nullptr;
    base::Json token_ids = nullptr;
  };
  void AddChoice(const base::Json& choice);
  void AddDelta(const base::Json& delta, Collected& collected);
  base::Json Message(const Collected& collected) const;

  Endpoint endpoint_;
  base::Json id_, created_, model_;
  base::Json prompt_token_ids_ = nullptr;
  base::Json extension_ = nullptr;
  std::map<std::int64_t, Collected> choices_;  // by index
};

}  // namespace switchyard::protocol
