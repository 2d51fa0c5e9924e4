/* A chip written to version 1 of the interface and built from its frozen header: plain memory, and
 * two operations (add and scale) on dense f32 tensors. It shows that a plugin as old as this works
 * with the host of today, so it is never brought up to date. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chip_v1.h"

enum { kAlignment = 64 };

struct sy_device { int unused; };
struct sy_queue { int unused; };
struct sy_event { int unused; };
struct sy_buffer { uint64_t bytes; char* memory; };
struct sy_weight { uint64_t bytes; };
struct sy_program {
  uint32_t tensor_count, op_count, slot_count;
  sy_tensor* tensors;
  sy_op* ops;
  uint64_t* offsets; /* of temporaries, into the workspace */
  uint64_t workspace_bytes;
};

static _Thread_local char sentence[256];

static sy_status Fail(sy_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  return status;
}

/* Copies the struct at `from`, of whatever size it says it has, into one of ours. */
static void Read(void* to, const void* from, uint32_t own_size) {
  uint32_t size = 0;
  memcpy(&size, from, sizeof size);
  memset(to, 0, own_size);
  memcpy(to, from, size < own_size ? size : own_size);
}
static void Write(void* to, const void* from, uint32_t own_size) {
  uint32_t size = 0;
  memcpy(&size, to, sizeof size);
  memcpy(to, from, size < own_size ? size : own_size);
  memcpy(to, &size, sizeof size);
}
static const void* Element(const void* first, uint32_t index) {
  uint32_t size = 0;
  if (index == 0) return first;
  memcpy(&size, first, sizeof size);
  return (const char*)first + (size_t)index * size;
}

static sy_status DeviceCount(uint32_t* count) { *count = 1; return SY_OK; }

static sy_status DeviceProperties(uint32_t index, sy_device_properties* properties) {
  sy_device_properties own;
  if (index != 0) return Fail(SY_NOT_FOUND, "there is no device %u", index);
  memset(&own, 0, sizeof own);
  strcpy(own.name, "Version 1");
  strcpy(own.maker, "Switchyard");
  strcpy(own.architecture, "plain C");
  own.memory_bytes = 1u << 30;
  own.alignment_bytes = kAlignment;
  own.kv_page_multiple = 1;
  own.flags = SY_DEVICE_HOST_MEMORY;
  own.proof = SY_PROOF_RUN_ON_SILICON;
  own.unit_count = 1;
  Write(properties, &own, sizeof own);
  return SY_OK;
}

static sy_status DeviceOpen(uint32_t index, const sy_option* options, uint32_t option_count,
                            sy_device** device) {
  sy_option first;
  if (index != 0) return Fail(SY_NOT_FOUND, "there is no device %u", index);
  if (option_count > 0) {
    Read(&first, options, sizeof first);
    return Fail(SY_INVALID_ARGUMENT, "there is no option '%s'", first.name);
  }
  *device = calloc(1, sizeof **device);
  return *device != NULL ? SY_OK : Fail(SY_RESOURCE_EXHAUSTED, "no memory for a device");
}
static void DeviceClose(sy_device* device) { free(device); }
static sy_status MemoryAvailable(sy_device* device, uint64_t* bytes) {
  (void)device;
  *bytes = 1u << 30;
  return SY_OK;
}

static sy_status BufferCreate(sy_device* device, uint64_t bytes, sy_buffer** buffer) {
  sy_buffer* made = NULL;
  (void)device;
  if (bytes > 1u << 30) return Fail(SY_RESOURCE_EXHAUSTED, "%llu bytes are more than there are",
                                    (unsigned long long)bytes);
  made = calloc(1, sizeof *made);
  if (made == NULL) return Fail(SY_RESOURCE_EXHAUSTED, "no memory for a buffer");
  made->bytes = bytes;
  made->memory = aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (made->memory == NULL) {
    free(made);
    return Fail(SY_RESOURCE_EXHAUSTED, "no memory for %llu bytes", (unsigned long long)bytes);
  }
  *buffer = made;
  return SY_OK;
}
static void BufferDestroy(sy_buffer* buffer) {
  free(buffer->memory);
  free(buffer);
}
static sy_status BufferMap(sy_buffer* buffer, void** address) {
  *address = buffer->memory;
  return SY_OK;
}

static sy_status QueueCreate(sy_device* device, sy_queue** queue) {
  (void)device;
  *queue = calloc(1, sizeof **queue);
  return *queue != NULL ? SY_OK : Fail(SY_RESOURCE_EXHAUSTED, "no memory for a queue");
}
static void QueueDestroy(sy_queue* queue) { free(queue); }
static sy_status QueueSync(sy_queue* queue) { (void)queue; return SY_OK; }

static int IsInside(const sy_buffer* buffer, uint64_t offset, uint64_t bytes) {
  return offset <= buffer->bytes && bytes <= buffer->bytes - offset;
}
static sy_status Outside(void) { return Fail(SY_INVALID_ARGUMENT, "bytes outside of a buffer"); }

static sy_status Upload(sy_queue* queue, sy_buffer* to, uint64_t at, const void* from,
                        uint64_t bytes) {
  (void)queue;
  if (!IsInside(to, at, bytes)) return Outside();
  if (bytes > 0) memcpy(to->memory + at, from, bytes);
  return SY_OK;
}
static sy_status Download(sy_queue* queue, void* to, sy_buffer* from, uint64_t at,
                          uint64_t bytes) {
  (void)queue;
  if (!IsInside(from, at, bytes)) return Outside();
  if (bytes > 0) memcpy(to, from->memory + at, bytes);
  return SY_OK;
}
static sy_status Copy(sy_queue* queue, sy_buffer* to, uint64_t to_at, sy_buffer* from,
                      uint64_t from_at, uint64_t bytes) {
  (void)queue;
  if (!IsInside(to, to_at, bytes) || !IsInside(from, from_at, bytes)) return Outside();
  memcpy(to->memory + to_at, from->memory + from_at, bytes);
  return SY_OK;
}
static sy_status Fill(sy_queue* queue, sy_buffer* to, uint64_t at, uint8_t value, uint64_t bytes) {
  (void)queue;
  if (!IsInside(to, at, bytes)) return Outside();
  memset(to->memory + at, value, bytes);
  return SY_OK;
}

static sy_status EventCreate(sy_device* device, sy_event** event) {
  (void)device;
  *event = calloc(1, sizeof **event);
  return *event != NULL ? SY_OK : Fail(SY_RESOURCE_EXHAUSTED, "no memory for an event");
}
static void EventDestroy(sy_event* event) { free(event); }
static sy_status EventOnQueue(sy_queue* queue, sy_event* event) {
  (void)queue;
  (void)event;
  return SY_OK;
}
static sy_status EventSync(sy_event* event) { (void)event; return SY_OK; }

static sy_status WeightCreate(sy_device* device, const sy_weight_desc* desc, sy_weight** weight) {
  (void)device;
  (void)desc;
  (void)weight;
  return Fail(SY_UNIMPLEMENTED, "this chip has no weights");
}
static void WeightDestroy(sy_weight* weight) { (void)weight; }
static sy_status WeightProperties(sy_weight* weight, sy_weight_properties* properties) {
  (void)weight;
  (void)properties;
  return Fail(SY_UNIMPLEMENTED, "this chip has no weights");
}

static int64_t Elements(const sy_tensor* tensor) {
  return tensor->dims[0] * tensor->dims[1] * tensor->dims[2] * tensor->dims[3];
}

/* Dense f32, where it is computed on. */
static int IsUsable(const sy_program_desc* desc, uint32_t index) {
  sy_tensor tensor;
  int64_t stride = 4;
  uint32_t i;
  if (index >= desc->tensor_count) return 0;
  Read(&tensor, Element(desc->tensors, index), sizeof tensor);
  if (tensor.dtype != SY_F32 || tensor.storage > SY_STORAGE_ARGUMENT) return 0;
  for (i = tensor.rank; i-- > 0; stride *= tensor.dims[i]) {
    if (tensor.dims[i] > 1 && tensor.strides[i] != stride) return 0;
  }
  return 1;
}

static int32_t OpSupported(sy_device* device, const sy_program_desc* given, uint32_t index) {
  sy_program_desc desc;
  sy_op op;
  (void)device;
  Read(&desc, given, sizeof desc);
  if (index >= desc.op_count) return 0;
  Read(&op, Element(desc.ops, index), sizeof op);
  if (op.kind == SY_OP_ADD) {
    if (IsUsable(&desc, op.inputs[0]) && IsUsable(&desc, op.inputs[1]) &&
        IsUsable(&desc, op.outputs[0])) {
      return 1;
    }
  } else if (op.kind == SY_OP_SCALE && op.softcap == 0 && IsUsable(&desc, op.inputs[0]) &&
             IsUsable(&desc, op.outputs[0])) {
    return 1;
  }
  Fail(SY_UNIMPLEMENTED, "this chip adds and scales dense f32 tensors and does nothing else");
  return 0;
}

static void ProgramDestroy(sy_program* program) {
  free(program->tensors);
  free(program->ops);
  free(program->offsets);
  free(program);
}

static sy_status ProgramCreate(sy_device* device, const sy_program_desc* given,
                               sy_program** program) {
  sy_program_desc desc;
  sy_program* made = NULL;
  uint32_t i;
  Read(&desc, given, sizeof desc);
  for (i = 0; i < desc.op_count; ++i) {
    if (!OpSupported(device, given, i)) return SY_UNIMPLEMENTED;
  }
  made = calloc(1, sizeof *made);
  if (made == NULL) return Fail(SY_RESOURCE_EXHAUSTED, "no memory for a program");
  made->tensor_count = desc.tensor_count;
  made->op_count = desc.op_count;
  made->slot_count = desc.slot_count;
  made->tensors = calloc(desc.tensor_count + 1u, sizeof *made->tensors);
  made->ops = calloc(desc.op_count + 1u, sizeof *made->ops);
  made->offsets = calloc(desc.tensor_count + 1u, sizeof *made->offsets);
  if (made->tensors == NULL || made->ops == NULL || made->offsets == NULL) {
    ProgramDestroy(made);
    return Fail(SY_RESOURCE_EXHAUSTED, "no memory for a program");
  }
  for (i = 0; i < desc.op_count; ++i) Read(&made->ops[i], Element(desc.ops, i), sizeof *made->ops);
  for (i = 0; i < desc.tensor_count; ++i) {
    Read(&made->tensors[i], Element(desc.tensors, i), sizeof *made->tensors);
    if (made->tensors[i].storage != SY_STORAGE_TEMPORARY) continue;
    made->offsets[i] = made->workspace_bytes;
    made->workspace_bytes +=
        ((uint64_t)Elements(&made->tensors[i]) * 4 + kAlignment - 1) / kAlignment * kAlignment;
  }
  *program = made;
  return SY_OK;
}

static sy_status ProgramProperties(sy_program* program, sy_program_properties* properties) {
  sy_program_properties own = {sizeof own, program->workspace_bytes};
  Write(properties, &own, sizeof own);
  return SY_OK;
}

static float* Address(const sy_program* program, uint32_t index, const sy_binding* bindings,
                      sy_buffer* workspace, uint64_t workspace_offset) {
  const sy_tensor* tensor = &program->tensors[index];
  sy_binding binding;
  if (tensor->storage == SY_STORAGE_TEMPORARY) {
    return (float*)(void*)(workspace->memory + workspace_offset + program->offsets[index]);
  }
  Read(&binding, Element(bindings, tensor->slot), sizeof binding);
  if (binding.buffer == NULL ||
      !IsInside(binding.buffer, binding.offset_bytes, (uint64_t)Elements(tensor) * 4)) {
    return NULL;
  }
  return (float*)(void*)(binding.buffer->memory + binding.offset_bytes);
}

static sy_status ProgramRun(sy_program* program, const sy_binding* bindings,
                            uint32_t binding_count, sy_buffer* workspace,
                            uint64_t workspace_offset, sy_queue* queue) {
  uint32_t i;
  (void)queue;
  if (binding_count < program->slot_count) {
    return Fail(SY_INVALID_ARGUMENT, "%u bindings for %u slots", binding_count,
                program->slot_count);
  }
  if (program->workspace_bytes > 0 &&
      (workspace == NULL || !IsInside(workspace, workspace_offset, program->workspace_bytes))) {
    return Fail(SY_INVALID_ARGUMENT, "too little workspace");
  }
  for (i = 0; i < program->op_count; ++i) {
    const sy_op* op = &program->ops[i];
    const int is_add = op->kind == SY_OP_ADD;
    const float* a = Address(program, op->inputs[0], bindings, workspace, workspace_offset);
    const float* b =
        is_add ? Address(program, op->inputs[1], bindings, workspace, workspace_offset) : a;
    float* y = Address(program, op->outputs[0], bindings, workspace, workspace_offset);
    const int64_t count = Elements(&program->tensors[op->outputs[0]]);
    int64_t j;
    if (a == NULL || b == NULL || y == NULL) return Outside();
    for (j = 0; j < count; ++j) y[j] = is_add ? a[j] + b[j] : op->scale * a[j];
  }
  return SY_OK;
}

static const char* LastError(void) { return sentence; }

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  static sy_chip_api api;
  (void)host;
  api.struct_size = sizeof api;
  api.interface_version = 1;
  api.oldest_host_version = 1;
  api.name = "frozen";
  api.device_count = DeviceCount;
  api.device_properties = DeviceProperties;
  api.device_open = DeviceOpen;
  api.device_close = DeviceClose;
  api.memory_available = MemoryAvailable;
  api.buffer_create = BufferCreate;
  api.buffer_destroy = BufferDestroy;
  api.buffer_map = BufferMap;
  api.queue_create = QueueCreate;
  api.queue_destroy = QueueDestroy;
  api.queue_sync = QueueSync;
  api.upload = Upload;
  api.download = Download;
  api.copy = Copy;
  api.fill = Fill;
  api.event_create = EventCreate;
  api.event_destroy = EventDestroy;
  api.event_record = EventOnQueue;
  api.event_wait = EventOnQueue;
  api.event_sync = EventSync;
  api.weight_create = WeightCreate;
  api.weight_destroy = WeightDestroy;
  api.weight_properties = WeightProperties;
  api.op_supported = OpSupported;
  api.program_create = ProgramCreate;
  api.program_destroy = ProgramDestroy;
  api.program_properties = ProgramProperties;
  api.program_run = ProgramRun;
  api.last_error = LastError;
  return &api;
}
