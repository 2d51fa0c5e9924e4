// Reads a streamed chat answer as its client does.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"

namespace switchyard::server {

// What a stream told of content, reasoning and calls, as it stood after each token.
inline std::vector<std::string> ToldAfterTokens(const std::string& body) {
  std::vector<std::string> told = {""};
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: {")) continue;
    const base::Json event = base::Json::parse(line.substr(6));
    for (const base::Json& choice : event["choices"]) {
      if (choice.contains("token_ids")) told.push_back(told.back());
      const base::Json& delta = choice["delta"];
      told.back() += delta.value("reasoning_content", "") + delta.value("content", "");
      if (!delta.contains("tool_calls")) continue;
      for (const base::Json& call : delta["tool_calls"]) {
        if (call.contains("id")) told.back() += "[" + call["function"].value("name", "") + "]";
        told.back() += call["function"].value("arguments", "");
      }
    }
  }
  return told;
}

}  // namespace switchyard::server
