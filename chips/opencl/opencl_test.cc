// What surrounds the kernels: binaries in files, the compiler's process, and a cache that may be
// broken. The chip itself is tested by the conformance suite.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "binary_file.h"
#include "compiler_run.h"
#include "devices.h"
#include "kernel_builder.h"
#include "kernel_text.h"
#include "objects.h"

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

class Folder : public testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(path.empty()); }

  const base::TemporaryFolder folder;
  const std::filesystem::path& path = folder.path();
};

using BinaryFile = Folder;

void Put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  ASSERT_TRUE(file.flush()) << path;
}

TEST_F(BinaryFile, ReturnsWhatWasWritten) {
  const std::string binary("\0\n\xff rest\n", 9);
  ASSERT_TRUE(WriteBinary(path / "a", "key", binary));
  const auto read = ReadBinary(path / "a", "key");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, binary);
}

TEST_F(BinaryFile, RefusesWhatWasCutOrChanged) {
  ASSERT_TRUE(WriteBinary(path / "a", "key", "a binary of some length"));
  const std::string whole = *ReadWhole(path / "a", 1 << 20);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Put(path / "b", changed);
    EXPECT_FALSE(ReadBinary(path / "b", "key")) << "byte " << i;
    Put(path / "b", whole.substr(0, i));
    EXPECT_FALSE(ReadBinary(path / "b", "key")) << "cut at " << i;
  }
  EXPECT_EQ(ReadBinary(path / "a", "another key").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadBinary(path / "none", "key").error().code, ErrorCode::kNotFound);
}

TEST(HashText, DiffersInEveryByte) {
  EXPECT_EQ(HashText("").size(), 32U);
  EXPECT_NE(HashText("ab"), HashText("ba"));
  EXPECT_NE(HashText("a"), HashText(std::string("a\0", 2)));
}

TEST(CompilerRun, TellsHowTheCompilerEnded) {
  EXPECT_TRUE(RunCompiler({"/bin/true", {}, 10'000}));
  EXPECT_THAT(
      RunCompiler({"/bin/sh", {"-c", "echo a bad line >&2; exit 3"}, 10'000}).error().message,
      testing::AllOf(HasSubstr("status 3"), HasSubstr("a bad line")));
  EXPECT_THAT(RunCompiler({"/bin/sh", {"-c", "kill -ABRT $$"}, 10'000}).error().message,
              HasSubstr("signal 6"));
  const base::Status missing = RunCompiler({"/nonexistent/compiler", {}, 10'000});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/compiler"));
}

TEST(CompilerRun, EndsACompilerThatHangs) {
  const base::Status status = RunCompiler({"/bin/sleep", {"100"}, 50});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDeadlineExceeded);
}

// With the first device that is there.
class Builder : public Folder {
 protected:
  void SetUp() override {
    Folder::SetUp();
    if (Devices().empty()) GTEST_SKIP() << "there is no OpenCL device";
    cl_int result = CL_SUCCESS;
    context_ =
        HeldContext(clCreateContext(nullptr, 1, &Devices()[0].id, nullptr, nullptr, &result));
    ASSERT_EQ(result, CL_SUCCESS);
  }

  base::Result<cl_program> Build(const std::string& text, const std::filesystem::path& compiler) {
    KernelBuilder builder(Devices()[0], 0, {.compiler = compiler, .cache_folder = path});
    auto program = builder.Program(context_.get(), text, "-cl-std=CL1.2 -DLANES=8 -DFAST_FMA=0");
    if (program) clRetainProgram(*program);
    return program;
  }

  std::filesystem::path OnlyFile() const {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      EXPECT_TRUE(found.empty());
      found = entry.path();
    }
    return found;
  }

  HeldContext context_;
};

constexpr const char* kKernel = "__kernel void nothing(__global int* x) { x[0] = LANES; }";

TEST_F(Builder, KeepsBinariesAndMendsBrokenOnes) {
  auto program = Build(kKernel, SWITCHYARD_OPENCL_COMPILER);
  ASSERT_TRUE(program) << program.error().message;
  clReleaseProgram(*program);
  const std::filesystem::path kept = OnlyFile();
  // From the cache, without a compiler.
  program = Build(kKernel, "/nonexistent/compiler");
  ASSERT_TRUE(program) << program.error().message;
  clReleaseProgram(*program);
  const std::string whole = *ReadWhole(kept, 1 << 28);
  for (const std::string& broken :
       {std::string(), whole.substr(0, whole.size() / 2), std::string(1000, 'x')}) {
    Put(kept, broken);
    program = Build(kKernel, SWITCHYARD_OPENCL_COMPILER);
    ASSERT_TRUE(program) << program.error().message;
    clReleaseProgram(*program);
    EXPECT_GT(ReadWhole(kept, 1 << 28)->size(), broken.size());
  }
}

TEST_F(Builder, ShowsTheCompilersLog) {
  const auto program = Build("__kernel void wrong() { nonsense; }", SWITCHYARD_OPENCL_COMPILER);
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().message,
              testing::AllOf(HasSubstr("CL_BUILD_PROGRAM_FAILURE"), HasSubstr("nonsense")));
  EXPECT_TRUE(std::filesystem::is_empty(path));
}

TEST(CheckWork, TakesWorkThatFailedForALostDevice) {
  EXPECT_TRUE(CheckWork(CL_SUCCESS, "a run"));
  EXPECT_EQ(CheckWork(CL_OUT_OF_RESOURCES, "a run").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(CheckWork(CL_DEVICE_NOT_AVAILABLE, "a run").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(CheckWork(CL_OUT_OF_HOST_MEMORY, "a run").error().code, ErrorCode::kResourceExhausted);
  // The same answer to a call that gives work only means that there is too much of it.
  EXPECT_EQ(Check(CL_OUT_OF_RESOURCES, "a call").error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Check(CL_DEVICE_NOT_AVAILABLE, "a call").error().code, ErrorCode::kUnavailable);
}

TEST(ParseOptions, RefusesWhatNoGroupCanBe) {
  FoundDevice device;
  device.name = "a device";
  device.type = CL_DEVICE_TYPE_GPU;
  device.most_lanes = 256;
  device.local_memory_bytes = 32 << 10;
  const auto parse = [&](const char* name, const char* value) {
    const sy_option option = {sizeof(sy_option), name, value};
    return ParseOptions(device, {&option, 1});
  };
  EXPECT_EQ(parse("linear_lanes", "64")->linear_lanes, 64U);
  EXPECT_EQ(parse("lose_device_after", "3")->lose_device_after, 3U);
  EXPECT_FALSE(parse("lose_device_after", "soon"));
  for (const char* value : {"0", "3", "512", "", "8x", "-8"}) {
    EXPECT_FALSE(parse("row_lanes", value)) << value;
  }
  EXPECT_FALSE(parse("threads", "8"));
  EXPECT_FALSE(parse("rows_of_lane", "64"));
  EXPECT_EQ(parse("rows_of_lane", "32").error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace switchyard::opencl
