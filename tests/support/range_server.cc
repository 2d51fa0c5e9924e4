#include "tests/support/range_server.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

namespace switchyard::net {

namespace fs = std::filesystem;

RangeServer::RangeServer() {
  std::string name = (fs::temp_directory_path() / "range_server_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return;
  root_ = name;
  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  if (::pipe2(to_child.data(), O_CLOEXEC) != 0) return;
  if (::pipe2(from_child.data(), O_CLOEXEC) != 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
  std::string program = "python3";
  std::string script = "tests/support/range_server.py";
  std::array<char*, 4> arguments = {program.data(), script.data(), name.data(), nullptr};
  const int failed =
      ::posix_spawnp(&child_, program.c_str(), &actions, nullptr, arguments.data(), ::environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(to_child[0]);
  ::close(from_child[1]);
  stdin_ = to_child[1];
  if (failed == 0) {
    std::FILE* output = ::fdopen(from_child[0], "r");
    if (std::fscanf(output, "%d %d", &port_, &other_port_) != 2) port_ = 0;
    std::fclose(output);
  }
}

RangeServer::~RangeServer() {
  if (stdin_ >= 0) ::close(stdin_);  // its end is the server's
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
  std::error_code ignored;
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

std::string RangeServer::Url(std::string_view path) const {
  return port_ == 0 ? "" : fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::string RangeServer::OtherUrl(std::string_view path) const {
  return port_ == 0 ? "" : fmt::format("http://127.0.0.1:{}{}", other_port_, path);
}

void RangeServer::Put(std::string_view path, std::string_view content) const {
  WriteWholeFile(root_ / path.substr(1), content);
}

void RangeServer::Behave(std::string_view path, std::string_view steps) const {
  WriteWholeFile(root_ / (std::string(path.substr(1)) + ".behaviour.json"), steps);
}

std::vector<base::Json> RangeServer::Requests(std::string_view path) const {
  std::istringstream log(ReadWholeFile(root_ / "requests.log"));
  std::vector<base::Json> requests;
  for (std::string line; std::getline(log, line);) {
    auto request = base::ParseJson(line, "requests.log");
    if (request && (path.empty() || (*request)["path"] == path)) {
      requests.push_back(*std::move(request));
    }
  }
  return requests;
}

std::string ReadWholeFile(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void WriteWholeFile(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

std::string SampleBytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
  return bytes;
}

}  // namespace switchyard::net
