// switchyard_opencl_compiler INDEX NAME SOURCE BINARY OPTIONS: compiles the OpenCL text in the file
// SOURCE for device INDEX, which must be called NAME, and writes the binary to the file BINARY.
// What goes wrong is printed, the compiler's own log included. A program of its own, so that a
// vendor's compiler may crash here.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_file.h"
#include "binary_file.h"
#include "devices.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::uint64_t kMostSourceBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMostLog = 4000;

std::string BuildLog(cl_program program, cl_device_id device) {
  std::size_t size = 0;
  if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size) !=
      CL_SUCCESS) {
    return "(no log)";
  }
  std::string log(size, '\0');
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
  if (log.size() > kMostLog) log.resize(kMostLog);
  return log;
}

base::Result<std::string> BinaryOf(cl_program program) {
  std::size_t size = 0;
  SWITCHYARD_RETURN_IF_ERROR(
      Check(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr),
            "asking for the binary's size"));
  if (size == 0) return Fail(ErrorCode::kInternal, "the driver gives no binary");
  std::string binary(size, '\0');
  char* bytes = binary.data();
  SWITCHYARD_RETURN_IF_ERROR(
      Check(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, nullptr),
            "asking for the binary"));
  return binary;
}

base::Status Compile(const std::vector<std::string>& arguments) {
  std::uint32_t index = 0;
  const std::string& number = arguments[0];
  if (std::from_chars(number.data(), number.data() + number.size(), index).ec != std::errc()) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' is no device's number", number);
  }
  SWITCHYARD_TRY(const FoundDevice* const device, DeviceAt(index));
  if (device->name != arguments[1]) {
    return Fail(ErrorCode::kNotFound, "device {} is '{}' here, not '{}'", index, device->name,
                arguments[1]);
  }
  SWITCHYARD_TRY(const std::string source, ReadWhole(arguments[2], kMostSourceBytes));
  cl_int result = CL_SUCCESS;
  const cl_context context = clCreateContext(nullptr, 1, &device->id, nullptr, nullptr, &result);
  SWITCHYARD_RETURN_IF_ERROR(Check(result, "creating a context"));
  const char* text = source.data();
  const std::size_t size = source.size();
  const cl_program program = clCreateProgramWithSource(context, 1, &text, &size, &result);
  SWITCHYARD_RETURN_IF_ERROR(Check(result, "creating a program"));
  result = clBuildProgram(program, 1, &device->id, arguments[4].c_str(), nullptr, nullptr);
  if (result != CL_SUCCESS) {
    return Fail(ErrorCode::kInternal, "{} ({})\n{}", ClName(result), result,
                BuildLog(program, device->id));
  }
  SWITCHYARD_TRY(const std::string binary, BinaryOf(program));
  return base::WriteTextFile(arguments[3], binary);
}

}  // namespace
}  // namespace switchyard::opencl

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: switchyard_opencl_compiler INDEX NAME SOURCE BINARY OPTIONS\n");
    return 2;
  }
  const auto compiled = switchyard::opencl::Compile({argv + 1, argv + argc});
  if (!compiled) std::fprintf(stderr, "%s\n", compiled.error().message.c_str());
  // Drivers hold what they never give back, and some die of taking themselves down.
  std::quick_exit(compiled ? 0 : 1);
}
