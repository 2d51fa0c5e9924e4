/* A host of a later version than the plugin: built from today's header with a field more at the end of
 * every struct, as a later version may have. Runs one program on the plugin named by its argument and
 * exits 0 if the result is right. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grown_chip.h"

enum { kCount = 100 };

static sy_chip_api api;

static void Check(sy_status status, const char* what) {
  if (status == SY_OK) return;
  fprintf(stderr, "%s: status %d, %s\n", what, status, api.last_error());
  exit(1);
}

static sy_tensor Vector(sy_storage storage, uint32_t slot) {
  sy_tensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.struct_size = sizeof tensor;
  tensor.dtype = SY_F32;
  tensor.storage = storage;
  tensor.rank = 2;
  tensor.dims[0] = 1;
  tensor.dims[1] = kCount;
  tensor.dims[2] = tensor.dims[3] = 1;
  tensor.strides[0] = kCount * 4;
  tensor.strides[1] = tensor.strides[2] = tensor.strides[3] = 4;
  tensor.slot = slot;
  tensor.later_field = 0x5a5a5a5a5a5a5a5au;
  return tensor;
}

static sy_op Op(sy_op_kind kind, uint32_t a, uint32_t b, uint32_t y, float scale) {
  sy_op op;
  int i;
  memset(&op, 0, sizeof op);
  op.struct_size = sizeof op;
  op.kind = kind;
  for (i = 0; i < SY_MAX_INPUTS; ++i) op.inputs[i] = SY_NO_TENSOR;
  for (i = 0; i < SY_MAX_OUTPUTS; ++i) op.outputs[i] = SY_NO_TENSOR;
  op.inputs[0] = a;
  op.inputs[1] = b;
  op.outputs[0] = y;
  op.scale = scale;
  op.later_field = 0x5a5a5a5a5a5a5a5au;
  return op;
}

int main(int argc, char** argv) {
  sy_host host = {sizeof host, SY_INTERFACE_VERSION + 1, NULL, "/tmp", 0};
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  sy_chip_entry entry = NULL;
  const sy_chip_api* given = NULL;
  sy_device* device = NULL;
  sy_queue* queue = NULL;
  sy_buffer* buffers[3];
  sy_buffer* workspace = NULL;
  sy_program* program = NULL;
  sy_program_properties properties = {sizeof properties, 0, 77};
  sy_binding bindings[3];
  float x[kCount], y[kCount], z[kCount];
  int i;
  if (library == NULL) {
    fprintf(stderr, "usage: grown_host PLUGIN.so (%s)\n", argc == 2 ? dlerror() : "no plugin");
    return 2;
  }
  *(void**)&entry = dlsym(library, SY_ENTRY_NAME);
  given = entry(&host);
  if (given == NULL || given->oldest_host_version > SY_INTERFACE_VERSION + 1) return 3;
  memcpy(&api, given, given->struct_size < sizeof api ? given->struct_size : sizeof api);
  if (api.later_field != 0) return 4; /* an old table has no later slot */

  Check(api.device_open(0, NULL, 0, &device), "device_open");
  Check(api.queue_create(device, &queue), "queue_create");
  for (i = 0; i < kCount; ++i) {
    x[i] = (float)i;
    y[i] = 0.5f * (float)i * (float)i;
  }
  {
    /* t = x + y; z = 2 t */
    const sy_tensor tensors[4] = {
        Vector(SY_STORAGE_ARGUMENT, 0), Vector(SY_STORAGE_ARGUMENT, 1),
        Vector(SY_STORAGE_TEMPORARY, 0), Vector(SY_STORAGE_ARGUMENT, 2)};
    const sy_op ops[2] = {Op(SY_OP_ADD, 0, 1, 2, 1), Op(SY_OP_SCALE, 2, SY_NO_TENSOR, 3, 2)};
    const sy_program_desc desc = {sizeof desc, 4, tensors, 2, ops, 3, 0};
    Check(api.program_create(device, &desc, &program), "program_create");
  }
  Check(api.program_properties(program, &properties), "program_properties");
  if (properties.struct_size != sizeof properties || properties.later_field != 77) return 5;
  Check(api.buffer_create(device, properties.workspace_bytes + 1, &workspace), "workspace");
  memset(bindings, 0, sizeof bindings);
  for (i = 0; i < 3; ++i) {
    Check(api.buffer_create(device, sizeof x, &buffers[i]), "buffer_create");
    bindings[i].struct_size = sizeof bindings[i];
    bindings[i].buffer = buffers[i];
  }
  Check(api.upload(queue, buffers[0], 0, x, sizeof x), "upload");
  Check(api.upload(queue, buffers[1], 0, y, sizeof y), "upload");
  Check(api.program_run(program, bindings, 3, workspace, 0, queue), "program_run");
  Check(api.download(queue, z, buffers[2], 0, sizeof z), "download");
  Check(api.queue_sync(queue), "queue_sync");
  for (i = 0; i < kCount; ++i) {
    if (z[i] != 2 * (x[i] + y[i])) {
      fprintf(stderr, "element %d is %g, not %g\n", i, (double)z[i], (double)(2 * (x[i] + y[i])));
      return 6;
    }
  }
  api.program_destroy(program);
  for (i = 0; i < 3; ++i) api.buffer_destroy(buffers[i]);
  api.buffer_destroy(workspace);
  api.queue_destroy(queue);
  api.device_close(device);
  return 0;
}
