#include "devices.h"

#include <algorithm>

namespace switchyard::opencl {
namespace {

constexpr cl_uint kMostPlatforms = 64;
constexpr cl_uint kMostDevices = 256;
constexpr std::size_t kMostText = 4096;

// Platforms and device types that passed the conformance suite with this plugin, and when.
struct Proven {
  std::string_view platform;
  cl_device_type type;
};
constexpr Proven kProven[] = {
    // PoCL 3.1 on an x86-64 with AVX-512, November 2026.
    {"Portable Computing Language", CL_DEVICE_TYPE_CPU},
};

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

std::string PlatformText(cl_platform_id platform, cl_platform_info what) {
  std::size_t size = 0;
  if (clGetPlatformInfo(platform, what, 0, nullptr, &size) != CL_SUCCESS || size > kMostText) {
    return {};
  }
  std::string text(size, '\0');
  if (clGetPlatformInfo(platform, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  return Trimmed(std::move(text));
}

std::string DeviceText(cl_device_id device, cl_device_info what) {
  std::size_t size = 0;
  if (clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size > kMostText) {
    return {};
  }
  std::string text(size, '\0');
  if (clGetDeviceInfo(device, what, size, text.data(), nullptr) != CL_SUCCESS) return {};
  return Trimmed(std::move(text));
}

// `otherwise` where the device does not say.
template <typename T>
T DeviceValue(cl_device_id device, cl_device_info what, T otherwise = {}) {
  T value{};
  if (clGetDeviceInfo(device, what, sizeof value, &value, nullptr) != CL_SUCCESS) return otherwise;
  return value;
}

bool IsUsable(cl_device_id device) {
  const std::string version = DeviceText(device, CL_DEVICE_VERSION);  // "OpenCL 1.2 ..."
  const bool is_old = version.starts_with("OpenCL 1.0") || version.starts_with("OpenCL 1.1");
  return version.starts_with("OpenCL ") && !is_old &&
         DeviceValue<cl_bool>(device, CL_DEVICE_AVAILABLE) == CL_TRUE &&
         DeviceValue<cl_bool>(device, CL_DEVICE_COMPILER_AVAILABLE) == CL_TRUE &&
         DeviceValue<cl_bool>(device, CL_DEVICE_ENDIAN_LITTLE) == CL_TRUE;
}

FoundDevice Look(cl_platform_id platform, cl_device_id id) {
  FoundDevice found;
  found.platform = platform;
  found.id = id;
  found.platform_name = PlatformText(platform, CL_PLATFORM_NAME);
  found.platform_version = PlatformText(platform, CL_PLATFORM_VERSION);
  found.name = DeviceText(id, CL_DEVICE_NAME);
  if (found.name.empty()) found.name = "device without a name";
  found.maker = DeviceText(id, CL_DEVICE_VENDOR);
  found.driver_version = DeviceText(id, CL_DRIVER_VERSION);
  found.type = DeviceValue<cl_device_type>(id, CL_DEVICE_TYPE);
  found.unit_count = std::max<cl_uint>(DeviceValue<cl_uint>(id, CL_DEVICE_MAX_COMPUTE_UNITS), 1);
  found.memory_bytes =
      std::max<std::uint64_t>(DeviceValue<cl_ulong>(id, CL_DEVICE_GLOBAL_MEM_SIZE), 1);
  found.most_buffer_bytes = DeviceValue<cl_ulong>(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  found.most_lanes = DeviceValue<std::size_t>(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
  found.local_memory_bytes = DeviceValue<cl_ulong>(id, CL_DEVICE_LOCAL_MEM_SIZE);
  // Where it is not fast, it is a long sequence of other instructions. Graphics processors that
  // have it have it fast.
  const auto floats = DeviceValue<cl_device_fp_config>(id, CL_DEVICE_SINGLE_FP_CONFIG);
  found.has_fast_fma = (floats & CL_FP_FMA) != 0;
  for (const Proven& proven : kProven) {
    if (found.platform_name == proven.platform && (found.type & proven.type) != 0) {
      found.is_proven = true;
    }
  }
  found.shares_host_memory = found.is_proven && found.is_cpu();
  return found;
}

std::vector<FoundDevice> LookAround() {
  std::vector<FoundDevice> all;
  cl_uint platform_count = 0;
  // The loader answers an error where there is no platform at all.
  if (clGetPlatformIDs(0, nullptr, &platform_count) != CL_SUCCESS) return all;
  platform_count = std::min(platform_count, kMostPlatforms);
  std::vector<cl_platform_id> platforms(platform_count);
  if (platform_count == 0 ||
      clGetPlatformIDs(platform_count, platforms.data(), nullptr) != CL_SUCCESS) {
    return all;
  }
  for (const cl_platform_id platform : platforms) {
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) != CL_SUCCESS) continue;
    count = std::min(count, kMostDevices);
    std::vector<cl_device_id> ids(count);
    if (count == 0 ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids.data(), nullptr) != CL_SUCCESS) {
      continue;
    }
    for (const cl_device_id id : ids) {
      if (IsUsable(id)) all.push_back(Look(platform, id));
    }
  }
  return all;
}

}  // namespace

const std::vector<FoundDevice>& Devices() {
  static const std::vector<FoundDevice> devices = LookAround();
  return devices;
}

base::Result<const FoundDevice*> DeviceAt(std::uint32_t index) {
  if (index < Devices().size()) return &Devices()[index];
  return base::Fail(base::ErrorCode::kNotFound, "there is no OpenCL device {}; there are {}", index,
                    Devices().size());
}

}  // namespace switchyard::opencl
