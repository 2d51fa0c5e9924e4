#include "host_memory_chip.h"

#include <cstring>

#include "host_memory_objects.h"
#include "kit/call_guard.h"
#include "kit/struct_array.h"
#include "machine_memory.h"
#include "tensor/dtype.h"

namespace switchyard::chips {
namespace {

using base::ErrorCode;
using base::Fail;

base::Status CheckRange(const sy_buffer* buffer, std::uint64_t offset, std::uint64_t bytes,
                        const sy_device* device) {
  if (buffer == nullptr || buffer->device != device) {
    return Fail(ErrorCode::kInvalidArgument, "the buffer is not one of the queue's device");
  }
  if (offset > buffer->bytes || bytes > buffer->bytes - offset) {
    return Fail(ErrorCode::kInvalidArgument, "{} bytes from byte {} lie outside a buffer of {}",
                bytes, offset, buffer->bytes);
  }
  return {};
}

// ---- Devices ----

base::Status CheckIndex(std::uint32_t index) {
  if (index < kChip.device_count) return {};
  return Fail(ErrorCode::kInvalidArgument, "{} has no device {}; it has {}", kChip.name, index,
              kChip.device_count);
}

sy_device_properties Describe(std::uint32_t index) {
  sy_device_properties properties{};
  properties.struct_size = sizeof properties;
  properties.memory_bytes = MachineMemoryBytes();
  properties.alignment_bytes = kAlignmentBytes;
  properties.kv_page_multiple = 1;
  properties.unit_count = 1;
  kChip.describe(index, properties);
  return properties;
}

sy_status DeviceCount(std::uint32_t* count) {
  *count = kChip.device_count;
  return SY_OK;
}

sy_status DeviceProperties(std::uint32_t index, sy_device_properties* properties) {
  return Guard([&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckIndex(index));
    WriteStruct(Describe(index), properties);
    return {};
  });
}

sy_status DeviceOpen(std::uint32_t index, const sy_option* options, std::uint32_t option_count,
                     sy_device** device) {
  return Guard([&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckIndex(index));
    auto opened = std::make_unique<sy_device>();
    SWITCHYARD_TRY(opened->hooks, kChip.open(index, ReadStructs(options, option_count)));
    opened->properties = Describe(index);
    opened->hooks->Describe(opened->properties);
    *device = opened.release();
    return {};
  });
}

sy_status OpenedProperties(sy_device* device, sy_device_properties* properties) {
  return GuardOn(device, [&]() -> base::Status {
    WriteStruct(device->properties, properties);
    return {};
  });
}

void DeviceClose(sy_device* device) { delete device; }

sy_status MemoryAvailable(sy_device* device, std::uint64_t* bytes) {
  return GuardOn(device, [&]() -> base::Status {
    *bytes = MachineMemoryAvailableBytes();
    return {};
  });
}

// ---- Memory ----

sy_status BufferCreate(sy_device* device, std::uint64_t bytes, sy_buffer** buffer) {
  return GuardOn(device, [&]() -> base::Status {
    auto created = std::make_unique<sy_buffer>();
    created->device = device;
    created->bytes = bytes;
    SWITCHYARD_TRY(created->memory, device->Allocate(bytes));
    *buffer = created.release();
    return {};
  });
}

void BufferDestroy(sy_buffer* buffer) { delete buffer; }

sy_status BufferMap(sy_buffer* buffer, void** address) {
  return GuardOn(buffer->device, [&]() -> base::Status {
    if ((buffer->device->properties.flags & SY_DEVICE_HOST_MEMORY) == 0) {
      return Fail(ErrorCode::kUnimplemented, "this device's memory cannot be mapped");
    }
    *address = buffer->memory.get();
    return {};
  });
}

// ---- Queues: everything is done before the call returns, or recorded ----

// Work that a capture can record, done now or later. `step` owns what it needs.
template <typename Step>
base::Status DoOrRecord(sy_queue* queue, Step step) {
  if (queue->recording == nullptr) return step();
  queue->recording->steps.emplace_back(std::move(step));
  return {};
}

// Calls on a queue that a capture cannot record.
template <typename Body>
sy_status GuardOnQueue(sy_queue* queue, Body body) {
  return GuardOn(queue->device, [&]() -> base::Status {
    if (queue->recording != nullptr) {
      return Fail(ErrorCode::kFailedPrecondition,
                  "the queue is recording, which takes program_run, copy and fill alone");
    }
    return body();
  });
}

sy_status QueueCreate(sy_device* device, sy_queue** queue) {
  return GuardOn(device, [&]() -> base::Status {
    *queue = new sy_queue{device, nullptr};
    return {};
  });
}

void QueueDestroy(sy_queue* queue) { delete queue; }

sy_status QueueSync(sy_queue* queue) {
  return GuardOnQueue(queue, []() -> base::Status { return {}; });
}

sy_status Upload(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, const void* from,
                 std::uint64_t bytes) {
  return GuardOnQueue(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes, queue->device));
    if (bytes > 0) std::memcpy(to->memory.get() + to_offset, from, bytes);
    return {};
  });
}

sy_status Download(sy_queue* queue, void* to, sy_buffer* from, std::uint64_t from_offset,
                   std::uint64_t bytes) {
  return GuardOnQueue(queue, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(from, from_offset, bytes, queue->device));
    if (bytes > 0) std::memcpy(to, from->memory.get() + from_offset, bytes);
    return {};
  });
}

sy_status Copy(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, sy_buffer* from,
               std::uint64_t from_offset, std::uint64_t bytes) {
  return GuardOn(queue->device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes, queue->device));
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(from, from_offset, bytes, queue->device));
    if (to == from && to_offset < from_offset + bytes && from_offset < to_offset + bytes) {
      return Fail(ErrorCode::kInvalidArgument, "{} bytes from {} and to {} of one buffer overlap",
                  bytes, from_offset, to_offset);
    }
    return DoOrRecord(queue, [=]() -> base::Status {
      if (bytes > 0) {
        std::memcpy(to->memory.get() + to_offset, from->memory.get() + from_offset, bytes);
      }
      return {};
    });
  });
}

sy_status Fill(sy_queue* queue, sy_buffer* to, std::uint64_t to_offset, std::uint8_t value,
               std::uint64_t bytes) {
  return GuardOn(queue->device, [&]() -> base::Status {
    SWITCHYARD_RETURN_IF_ERROR(CheckRange(to, to_offset, bytes, queue->device));
    return DoOrRecord(queue, [=]() -> base::Status {
      if (bytes > 0) std::memset(to->memory.get() + to_offset, value, bytes);
      return {};
    });
  });
}

// ---- Events: whatever was before them is done already ----

sy_status EventCreate(sy_device* device, sy_event** event) {
  return GuardOn(device, [&]() -> base::Status {
    *event = new sy_event{device};
    return {};
  });
}

void EventDestroy(sy_event* event) { delete event; }

sy_status EventOnQueue(sy_queue* queue, sy_event* event) {
  return GuardOnQueue(queue, [&]() -> base::Status {
    if (event->device == queue->device) return {};
    return Fail(ErrorCode::kInvalidArgument, "the event is of another device than the queue");
  });
}

sy_status EventSync(sy_event* event) {
  return GuardOn(event->device, []() -> base::Status { return {}; });
}

// ---- Weights ----

sy_status WeightCreate(sy_device* device, const sy_weight_desc* desc, sy_weight** weight) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_TRY(auto created, sy_weight::Create(device, ReadStruct(desc)));
    *weight = created.release();
    return {};
  });
}

void WeightDestroy(sy_weight* weight) { delete weight; }

sy_status WeightProperties(sy_weight* weight, sy_weight_properties* properties) {
  return GuardOn(weight->device, [&]() -> base::Status {
    sy_weight_properties known{};
    known.memory_bytes = weight->desc.data_bytes;
    // One matrix of those that are stacked for experts or heads.
    known.read_bytes = weight->desc.rank < 3 ? weight->desc.data_bytes
                                             : weight->desc.data_bytes /
                                                   static_cast<std::uint64_t>(weight->desc.dims[0]);
    const auto dtype = static_cast<tensor::DType>(weight->desc.dtype);
    SetText(known.layout,
            fmt::format("{}, as the file has it; computed in f64", tensor::Name(dtype)));
    WriteStruct(known, properties);
    return {};
  });
}

// ---- Programs ----

std::int32_t OpSupported(sy_device* device, const sy_program_desc* desc, std::uint32_t op) {
  return GuardOn(device,
                 [&]() -> base::Status {
                   const ReadDesc read(desc);
                   if (op >= read.ops.size()) {
                     return Fail(ErrorCode::kInvalidArgument, "there is no op {}; there are {}", op,
                                 read.ops.size());
                   }
                   if (read.ops[op].kind >= SY_OP_KIND_COUNT) {
                     return Fail(ErrorCode::kUnimplemented, "there is no operation {}",
                                 read.ops[op].kind);
                   }
                   if (const std::string reason =
                           device->hooks->WhyUnsupported(read.ops[op], read.tensors);
                       !reason.empty()) {
                     return std::unexpected(base::Error{ErrorCode::kUnimplemented, reason});
                   }
                   return {};
                 }) == SY_OK
             ? 1
             : 0;
}

sy_status ProgramCreate(sy_device* device, const sy_program_desc* desc, sy_program** program) {
  return GuardOn(device, [&]() -> base::Status {
    SWITCHYARD_TRY(auto created, sy_program::Create(device, ReadDesc(desc).desc));
    *program = created.release();
    return {};
  });
}

void ProgramDestroy(sy_program* program) { delete program; }

sy_status ProgramProperties(sy_program* program, sy_program_properties* properties) {
  return GuardOn(program->device, [&]() -> base::Status {
    sy_program_properties known{};
    known.workspace_bytes = program->workspace_bytes;
    WriteStruct(known, properties);
    return {};
  });
}

sy_status ProgramRun(sy_program* program, const sy_binding* bindings, std::uint32_t binding_count,
                     sy_buffer* workspace, std::uint64_t workspace_offset, sy_queue* queue) {
  return GuardOn(program->device, [&]() -> base::Status {
    if (queue->device != program->device) {
      return Fail(ErrorCode::kInvalidArgument, "the queue is of another device than the program");
    }
    if (bindings == nullptr && binding_count > 0) {
      return Fail(ErrorCode::kInvalidArgument, "{} bindings but a null list", binding_count);
    }
    return DoOrRecord(queue, [=, bindings = ReadStructs(bindings, binding_count)] {
      return program->Run(bindings, workspace, workspace_offset);
    });
  });
}

// ---- Capture ----

sy_status CaptureBegin(sy_queue* queue) {
  return GuardOnQueue(queue, [&]() -> base::Status {
    queue->recording = std::make_unique<sy_capture>();
    queue->recording->device = queue->device;
    return {};
  });
}

sy_status CaptureEnd(sy_queue* queue, sy_capture** capture) {
  return GuardOn(queue->device, [&]() -> base::Status {
    if (queue->recording == nullptr) {
      return Fail(ErrorCode::kFailedPrecondition, "the queue is not recording");
    }
    *capture = queue->recording.release();
    return {};
  });
}

sy_status CaptureReplay(sy_capture* capture, sy_queue* queue) {
  return GuardOnQueue(queue, [&]() -> base::Status {
    if (queue->device != capture->device) {
      return Fail(ErrorCode::kInvalidArgument, "the queue is of another device than the capture");
    }
    for (const auto& step : capture->steps) SWITCHYARD_RETURN_IF_ERROR(step());
    return {};
  });
}

void CaptureDestroy(sy_capture* capture) { delete capture; }

const char* LastErrorText() { return LastError().c_str(); }

}  // namespace
}  // namespace switchyard::chips

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host*) {
  using namespace switchyard::chips;  // the table names thirty functions of it
  static const sy_chip_api api = [] {
    sy_chip_api table{};
    table.struct_size = sizeof table;
    table.interface_version = SY_INTERFACE_VERSION;
    table.oldest_host_version = 1;
    table.name = kChip.name;
    table.device_count = DeviceCount;
    table.device_properties = DeviceProperties;
    table.device_open = DeviceOpen;
    table.device_close = DeviceClose;
    table.memory_available = MemoryAvailable;
    table.buffer_create = BufferCreate;
    table.buffer_destroy = BufferDestroy;
    table.buffer_map = BufferMap;
    table.queue_create = QueueCreate;
    table.queue_destroy = QueueDestroy;
    table.queue_sync = QueueSync;
    table.upload = Upload;
    table.download = Download;
    table.copy = Copy;
    table.fill = Fill;
    table.event_create = EventCreate;
    table.event_destroy = EventDestroy;
    table.event_record = EventOnQueue;
    table.event_wait = EventOnQueue;
    table.event_sync = EventSync;
    table.weight_create = WeightCreate;
    table.weight_destroy = WeightDestroy;
    table.weight_properties = WeightProperties;
    table.op_supported = OpSupported;
    table.program_create = ProgramCreate;
    table.program_destroy = ProgramDestroy;
    table.program_properties = ProgramProperties;
    table.program_run = ProgramRun;
    table.last_error = LastErrorText;
    table.opened_properties = OpenedProperties;
    table.capture_begin = CaptureBegin;
    table.capture_end = CaptureEnd;
    table.capture_replay = CaptureReplay;
    table.capture_destroy = CaptureDestroy;
    return table;
  }();
  return &api;
}
