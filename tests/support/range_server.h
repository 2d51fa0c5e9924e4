// A real HTTP server for one test, tests/support/range_server.py in a child process, with the
// faults that the test asks for. Needs python3; the tests run in the repository's root.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/temporary_folder.h"

namespace switchyard::net {

class RangeServer {
 public:
  // Starts it on a folder of its own. A failure to start shows as an empty Url.
  RangeServer();
  RangeServer(const RangeServer&) = delete;
  RangeServer& operator=(const RangeServer&) = delete;
  ~RangeServer();

  // Address of a path such as "/model.gguf", on either of its two hosts.
  std::string Url(std::string_view path) const;
  std::string OtherUrl(std::string_view path) const;

  void Put(std::string_view path, std::string_view content) const;
  // `steps` is the list that range_server.py describes.
  void Behave(std::string_view path, std::string_view steps) const;
  // The requests so far for one path, or for all when empty.
  std::vector<base::Json> Requests(std::string_view path) const;

 private:
  std::filesystem::path root_;
  pid_t child_ = -1;
  int stdin_ = -1;
  int port_ = 0;
  int other_port_ = 0;
};

std::string ReadWholeFile(const std::filesystem::path& path);
void WriteWholeFile(const std::filesystem::path& path, std::string_view content);

// `size` bytes without a period that a mistaken offset could hide in.
std::string SampleBytes(std::size_t size, unsigned seed);

}  // namespace switchyard::net
