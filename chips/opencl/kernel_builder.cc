#include "kernel_builder.h"

#include "base/temporary_folder.h"
#include "base/text_file.h"
#include "binary_file.h"
#include "compiler_run.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::uint64_t kMostBinaryBytes = std::uint64_t{256} << 20;

}  // namespace

KernelBuilder::~KernelBuilder() {
  for (const auto& [key, program] : programs_) clReleaseProgram(program);
}

base::Result<cl_program> KernelBuilder::Program(cl_context context, const std::string& text,
                                                const std::string& options) {
  const std::lock_guard lock(mutex_);
  const std::string key = options + "\n" + HashText(text);
  if (const auto found = programs_.find(key); found != programs_.end()) return found->second;
  SWITCHYARD_TRY(const cl_program program, Build(context, text, options));
  programs_.emplace(key, program);
  return program;
}

base::Result<cl_program> KernelBuilder::Load(cl_context context, const std::string& binary) const {
  const std::size_t size = binary.size();
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary.data());
  cl_int result = CL_SUCCESS;
  cl_int binary_result = CL_SUCCESS;
  const cl_program program =
      clCreateProgramWithBinary(context, 1, &device_.id, &size, &bytes, &binary_result, &result);
  SWITCHYARD_RETURN_IF_ERROR(Check(result, "loading a compiled program"));
  if (binary_result == CL_SUCCESS) {
    binary_result = clBuildProgram(program, 1, &device_.id, "", nullptr, nullptr);
  }
  if (binary_result != CL_SUCCESS) {
    clReleaseProgram(program);
    return Fail(ErrorCode::kDataLoss, "the driver refuses a compiled program: {} ({})",
                ClName(binary_result), binary_result);
  }
  return program;
}

base::Result<std::string> KernelBuilder::Compile(const std::string& text,
                                                 const std::string& options,
                                                 const std::filesystem::path& folder,
                                                 const std::string& stem) const {
  const std::filesystem::path source = folder / (stem + ".cl");
  const std::filesystem::path made = folder / (stem + ".made");
  SWITCHYARD_RETURN_IF_ERROR(base::WriteTextFile(source, text));
  const CompilerRun run = {
      settings_.compiler,
      {std::to_string(index_), device_.name, source.string(), made.string(), options},
      settings_.time_limit_ms};
  if (const base::Status compiled = RunCompiler(run); !compiled) {
    return base::Rethrow(compiled.error(), "compiling kernels for '{}' with '{}'", device_.name,
                         options);
  }
  return ReadWhole(made, kMostBinaryBytes);
}

base::Result<cl_program> KernelBuilder::Build(cl_context context, const std::string& text,
                                              const std::string& options) {
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", device_.platform_name, device_.platform_version,
                  device_.name, device_.maker, device_.driver_version, options, text);
  const std::string stem = "opencl-" + HashText(key);
  const std::filesystem::path kept = settings_.cache_folder / (stem + ".bin");
  const bool keeps = !settings_.cache_folder.empty();
  if (keeps) {
    if (const auto binary = ReadBinary(kept, key)) {
      if (const auto program = Load(context, *binary)) return *program;
    }
  }
  const base::TemporaryFolder scratch;
  if (scratch.path().empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "no folder for temporary files can be made");
  }
  SWITCHYARD_TRY(const std::string binary, Compile(text, options, scratch.path(), stem));
  SWITCHYARD_TRY(const cl_program program, Load(context, binary));
  // A cache that cannot be written costs time, no more.
  if (keeps) static_cast<void>(WriteBinary(kept, key, binary));
  return program;
}

}  // namespace switchyard::opencl
