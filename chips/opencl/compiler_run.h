// The program switchyard_opencl_compiler as a child process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace switchyard::opencl {

struct CompilerRun {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::int64_t time_limit_ms = 0;
};

// Waits for it, and ends it at the time limit. What it prints becomes the error's sentence, cut to
// some thousand characters.
base::Status RunCompiler(const CompilerRun& run);

}  // namespace switchyard::opencl
