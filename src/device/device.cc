#include "device/device.h"

#include <utility>

namespace switchyard::device {

using base::ErrorCode;
using base::Fail;

base::Result<std::unique_ptr<Device>> Device::Open(const Chip& chip, std::uint32_t index,
                                                   std::span<const DeviceOption> options) {
  std::vector<sy_option> plain;
  plain.reserve(options.size());
  for (const DeviceOption& option : options) {
    plain.push_back({sizeof(sy_option), option.name.c_str(), option.value.c_str()});
  }
  sy_device* handle = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(
      chip.Check(chip.api().device_open(index, plain.data(),
                                        static_cast<std::uint32_t>(plain.size()), &handle),
                 fmt::format("opening device {}", index)));
  std::unique_ptr<Device> device(new Device(chip, handle));
  sy_device_properties& properties = device->properties_;
  properties.struct_size = sizeof properties;
  SWITCHYARD_RETURN_IF_ERROR(chip.Check(chip.api().opened_properties == nullptr
                                            ? chip.api().device_properties(index, &properties)
                                            : chip.api().opened_properties(handle, &properties),
                                        "reading device properties"));
  return device;
}

Device::~Device() { api().device_close(handle_); }

base::Result<std::uint64_t> Device::MemoryAvailable() const {
  std::uint64_t bytes = 0;
  SWITCHYARD_RETURN_IF_ERROR(
      chip_.Check(api().memory_available(handle_, &bytes), "asking for free memory"));
  return bytes;
}

base::Result<double> Device::MeasureCeiling(sy_ceiling ceiling, sy_dtype dtype) const {
  if (api().measure_ceiling == nullptr) {
    return Fail(ErrorCode::kUnimplemented, "chip '{}' does not measure its ceilings", chip_.name());
  }
  double value = 0;
  SWITCHYARD_RETURN_IF_ERROR(
      chip_.Check(api().measure_ceiling(handle_, ceiling, dtype, &value), "measuring a ceiling"));
  return value;
}

base::Result<Buffer> Buffer::Create(Device& device, std::uint64_t bytes) {
  Buffer buffer;
  SWITCHYARD_RETURN_IF_ERROR(
      device.chip().Check(device.api().buffer_create(device.handle(), bytes, &buffer.handle_),
                          fmt::format("allocating {} bytes", bytes)));
  buffer.device_ = &device;
  buffer.size_bytes_ = bytes;
  if (device.host_memory()) {
    void* address = nullptr;
    SWITCHYARD_RETURN_IF_ERROR(
        device.chip().Check(device.api().buffer_map(buffer.handle_, &address), "mapping a buffer"));
    buffer.host_address_ = static_cast<std::byte*>(address);
  }
  return buffer;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(host_address_, other.host_address_);
  return *this;
}

Buffer::~Buffer() {
  if (handle_ != nullptr) device_->api().buffer_destroy(handle_);
}

base::Result<Queue> Queue::Create(Device& device) {
  Queue queue;
  SWITCHYARD_RETURN_IF_ERROR(device.chip().Check(
      device.api().queue_create(device.handle(), &queue.handle_), "creating a queue"));
  queue.device_ = &device;
  return queue;
}

Queue& Queue::operator=(Queue&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  std::swap(workspace_, other.workspace_);
  return *this;
}

Queue::~Queue() {
  if (handle_ != nullptr) device_->api().queue_destroy(handle_);
}

base::Status Queue::Upload(const Buffer& to, std::uint64_t to_offset, const void* from,
                           std::uint64_t bytes) {
  return device_->chip().Check(device_->api().upload(handle_, to.handle(), to_offset, from, bytes),
                               "uploading");
}

base::Status Queue::Download(void* to, const Buffer& from, std::uint64_t from_offset,
                             std::uint64_t bytes) {
  return device_->chip().Check(
      device_->api().download(handle_, to, from.handle(), from_offset, bytes), "downloading");
}

base::Status Queue::ExportKvPage(sy_kv_part part, const sy_tensor& pages, const Buffer& buffer,
                                 std::uint32_t page, void* to) {
  if (device_->api().kv_export == nullptr) {
    // They are inside as their dims say.
    const auto bytes = static_cast<std::uint64_t>(pages.strides[0]);
    return Download(to, buffer, page * bytes, bytes);
  }
  const sy_binding binding{sizeof(sy_binding), buffer.handle(), 0, nullptr};
  return device_->chip().Check(device_->api().kv_export(handle_, part, &pages, &binding, page, to),
                               "exporting a KV page");
}

base::Status Queue::ImportKvPage(sy_kv_part part, const sy_tensor& pages, const Buffer& buffer,
                                 std::uint32_t page, const void* from) {
  if (device_->api().kv_import == nullptr) {
    const auto bytes = static_cast<std::uint64_t>(pages.strides[0]);
    return Upload(buffer, page * bytes, from, bytes);
  }
  const sy_binding binding{sizeof(sy_binding), buffer.handle(), 0, nullptr};
  return device_->chip().Check(device_->api().kv_import(handle_, part, &pages, &binding, page, from),
                               "importing a KV page");
}

base::Status Queue::Fill(const Buffer& to, std::uint64_t to_offset, std::uint8_t value,
                         std::uint64_t bytes) {
  return device_->chip().Check(device_->api().fill(handle_, to.handle(), to_offset, value, bytes),
                               "filling");
}

base::Status Queue::Run(sy_program* program, std::span<const sy_binding> bindings,
                        std::uint64_t workspace_bytes) {
  if (workspace_bytes > workspace_.size_bytes()) {
    SWITCHYARD_RETURN_IF_ERROR(Sync());  // the old workspace may still be in use
    workspace_ = Buffer();
    SWITCHYARD_TRY(workspace_, Buffer::Create(*device_, workspace_bytes));
  }
  return device_->chip().Check(
      device_->api().program_run(program, bindings.data(),
                                 static_cast<std::uint32_t>(bindings.size()), workspace_.handle(),
                                 0, handle_),
      "running a program");
}

base::Status Queue::Sync() {
  return device_->chip().Check(device_->api().queue_sync(handle_), "waiting for a queue");
}

}  // namespace switchyard::device
