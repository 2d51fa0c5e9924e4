// A question to a server over HTTP, as any OpenAI client asks it: the request that is sent is the
// one that is shown as a line for curl. Blocks; one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/speed_line.h"
#include "net/http_post.h"

namespace switchyard::cli {

struct ServerAddress {
  std::string url;      // "http://127.0.0.1:8080", without a path
  std::string model;    // its name to clients
  std::string key;      // sent, never shown; empty: none is needed
  std::string ca_file;  // of https: what the server's certificate is checked against
};

// The body of POST /v1/chat/completions.
std::string QuestionBody(std::string_view model, std::string_view question, bool stream);

// A line for a shell. A key is shown as YOUR_KEY.
std::string CurlLine(const ServerAddress& server, const std::string& body);

// Puts a text between single quotes, whatever it holds.
std::string ShellQuoted(std::string_view text);

// Reads a stream of server-sent events in whatever parts it comes.
class EventReader {
 public:
  // Called with each event's data.
  using Sink = std::function<void(std::string_view data)>;
  void Read(std::string_view part, const Sink& sink);

 private:
  std::string pending_;
};

struct ServedAnswer {
  std::string finish;  // "stop", "length"
  AnswerTimes times;   // as the client saw them
};

// `body` asks for a stream with usage. `on_text` is called with the answer's text as it comes;
// false ends it.
base::Result<ServedAnswer> AskServer(const ServerAddress& server, const std::string& body,
                                     const std::function<bool(std::string_view)>& on_text);

}  // namespace switchyard::cli
