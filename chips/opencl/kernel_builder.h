// Compiles kernels for a device, in a process of its own with a time limit, since vendors'
// compilers abort, hang and clash with one another; and keeps the binaries in the host's cache
// folder, under a hash of text, options, device and driver. A binary that does not check or that
// the driver refuses is made again. Safe from any thread; a caller waits while another compiles.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "cl_status.h"
#include "devices.h"
#include "plan.h"

namespace switchyard::opencl {

struct BuildSettings {
  std::filesystem::path compiler;        // the program switchyard_opencl_compiler
  std::filesystem::path cache_folder;    // empty: nothing is kept
  std::int64_t time_limit_ms = 600'000;  // a busy machine takes minutes
};

class KernelBuilder {
 public:
  KernelBuilder(const FoundDevice& device, std::uint32_t index, BuildSettings settings)
      : device_(device), index_(index), settings_(std::move(settings)) {}
  ~KernelBuilder();
  KernelBuilder(const KernelBuilder&) = delete;
  KernelBuilder& operator=(const KernelBuilder&) = delete;

  // The context must be the same at every call. The builder owns the program.
  base::Result<cl_program> Program(cl_context context, const std::string& text,
                                   const std::string& options);

 private:
  base::Result<cl_program> Build(cl_context context, const std::string& text,
                                 const std::string& options);
  base::Result<cl_program> Load(cl_context context, const std::string& binary) const;
  // Runs the compiler and reads what it wrote.
  base::Result<std::string> Compile(const std::string& text, const std::string& options,
                                    const std::filesystem::path& folder,
                                    const std::string& stem) const;

  const FoundDevice& device_;
  std::uint32_t index_;
  BuildSettings settings_;
  std::mutex mutex_;
  std::map<std::string, cl_program> programs_;  // by options and text
};

}  // namespace switchyard::opencl
