/* The chip interface, version 1: the one header that a chip plugin sees, and all that Switchyard knows
 * of a chip. docs/chip_interface.md explains it at length; where the two differ, this file holds.
 *
 * Rules of change. Version 1 is frozen: tests/plugins/frozen/ keeps it, and a plugin built from it.
 *   1. Every struct begins with struct_size, set by whoever allocates it to sizeof of the struct as
 *      that side was compiled. A reader never touches bytes beyond the struct_size it was given, and
 *      takes what it knows beyond them as zero. In an array of structs all have one struct_size, and
 *      elements lie that far apart.
 *   2. Fields, enum values and table slots are only ever appended. Nothing is removed, reordered,
 *      or given another meaning. SY_INTERFACE_VERSION grows by one with each set of additions.
 *   3. A new slot of sy_chip_api is optional: a plugin built earlier has it as null (by struct_size),
 *      and the host then does without.
 *   4. A host refuses a plugin only when the plugin's oldest_host_version is above its own version.
 *   5. Only fixed-width integers, floats, pointers and these structs cross the border: no C++ types,
 *      no exceptions, no ownership by convention. Whoever created a thing destroys it.
 *
 * Words: a *chip* is a plugin; it has *devices*; a device has *buffers*, *queues*, *events*, *weights*
 * and *programs*. An operation is data. A chip turns a list of operations into a program, once for a
 * set of shapes, and runs it many times; so it may fuse, capture or keep its threads in one region.
 *
 * Results: every function that can fail returns a sy_status (0 is success, others are the canonical
 * gRPC codes) and leaves a sentence for last_error() on the calling thread. Outputs are untouched
 * on failure. SY_UNAVAILABLE from any call means that the device is lost: destroy calls still work,
 * everything else on that device fails.
 *
 * Threads: all functions may be called from any thread. Calls on one queue must not overlap; calls on
 * different queues may. Creation and destruction may overlap with anything on other objects.
 *
 * Order: work on one queue runs in the order given. Nothing is promised between queues but by events.
 * Functions marked [async] may return before the work is done; host memory that they were given must
 * stay valid until the queue is synchronised (or an event after it is). A failure of asynchronous
 * work is reported by queue_sync or event_sync.
 */
#ifndef SWITCHYARD_CHIP_H_
#define SWITCHYARD_CHIP_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SY_INTERFACE_VERSION 1u

typedef int32_t sy_status;
enum {
  SY_OK = 0,
  SY_CANCELLED = 1,
  SY_UNKNOWN = 2,
  SY_INVALID_ARGUMENT = 3,
  SY_DEADLINE_EXCEEDED = 4,
  SY_NOT_FOUND = 5,
  SY_RESOURCE_EXHAUSTED = 8,   /* out of device memory, queues, ... */
  SY_FAILED_PRECONDITION = 9,
  SY_UNIMPLEMENTED = 12,
  SY_INTERNAL = 13,
  SY_UNAVAILABLE = 14,         /* the device is lost */
  SY_DATA_LOSS = 15
};

typedef struct sy_device sy_device;
typedef struct sy_buffer sy_buffer;
typedef struct sy_queue sy_queue;
typedef struct sy_event sy_event;
typedef struct sy_weight sy_weight;
typedef struct sy_program sy_program;
typedef struct sy_capture sy_capture;

/* ---- Data types ------------------------------------------------------------------------------ */

/* Numbers 100 and up are quantised block formats, which only weights have. The blocks lie along the
 * last dimension, byte for byte as GGUF files hold them (see src/tensor/block_formats.h). */
typedef uint32_t sy_dtype;
enum {
  SY_F32 = 0,
  SY_F16 = 1,
  SY_BF16 = 2,
  SY_I32 = 3,
  SY_I64 = 4,
  SY_I8 = 5,
  SY_Q4_0 = 100,
  SY_Q4_1 = 101,
  SY_Q5_0 = 102,
  SY_Q5_1 = 103,
  SY_Q8_0 = 104,
  SY_Q2_K = 105,
  SY_Q3_K = 106,
  SY_Q4_K = 107,
  SY_Q5_K = 108,
  SY_Q6_K = 109,
  SY_IQ4_NL = 110,
  SY_IQ4_XS = 111,
  SY_MXFP4 = 112
};

/* ---- Tensors --------------------------------------------------------------------------------- */

#define SY_MAX_RANK 4

typedef uint32_t sy_storage;
enum {
  /* Lives between two operations of one program; the chip places it, or fuses it away. */
  SY_STORAGE_TEMPORARY = 0,
  /* Bound to memory for each run: sy_binding[slot]. */
  SY_STORAGE_ARGUMENT = 1,
  /* A weight prepared on this device, always whole. */
  SY_STORAGE_WEIGHT = 2,
  /* A window into another tensor of the program: `base`, `offset_bytes`, own dims and strides. */
  SY_STORAGE_VIEW = 3
};

/* A tensor of a program. Dims are outermost first, as in [tokens, heads, head_dim]; dims beyond rank
 * are 1. Strides are in bytes and may be larger than dense, never zero, never negative; the last
 * dimension is always dense. Weights and KV pages are always dense, whatever their strides say. A view
 * has its base's type; KV pages are looked into by no view. */
typedef struct sy_tensor {
  uint32_t struct_size;
  sy_dtype dtype;
  sy_storage storage;
  uint32_t rank;
  int64_t dims[SY_MAX_RANK];
  int64_t strides[SY_MAX_RANK];
  uint32_t slot;         /* ARGUMENT: index into the bindings */
  uint32_t base;         /* VIEW: index of the tensor it looks into, itself not a view */
  uint64_t offset_bytes; /* VIEW: from the start of base */
  sy_weight* weight;     /* WEIGHT; null while only support is being asked */
} sy_tensor;

/* ---- Operations ------------------------------------------------------------------------------ */

/* Attributes that an operation's text does not name have their neutral value (scale 1, all others 0).
 *
 * Numbers: a row of a result depends on the rows that it is made from and on nothing else; NaN and
 * infinity stay in their rows. The same program, bindings and contents give the same bits on the same
 * device every time.
 *
 * Indices that name nothing (an id, row, slot, expert or page beyond the last): the run fails with
 * SY_INVALID_ARGUMENT, or the rows of the result that used them are undefined. Nothing outside the
 * operands is read or written, and other rows are right.
 *
 * T tokens, D hidden, H query heads, G key/value heads, d head dim, K inner, N outer, V vocabulary,
 * E experts, k chosen experts, B sequences, P page size, M pages a sequence at most.
 * Inputs are listed in order; [x] is optional and is SY_NO_TENSOR when absent. Activations (act) are
 * F32, F16 or BF16 and of one type within an operation unless said otherwise; arithmetic accumulates
 * in at least F32. An output never shares memory with an input, except where "in place" is said. */
typedef uint32_t sy_op_kind;
enum {
  /* table[V,D] weight, ids[T] I32 -> y[T,D] act; y = scale * table[id]. */
  SY_OP_EMBEDDING = 0,
  /* x[...,D] act, w[D] weight F32 -> y like x; y = x / sqrt(mean(x^2) + eps) * w. */
  SY_OP_RMS_NORM = 1,
  /* x[T,K] act, w[N,K] weight of any type, [bias[N] weight F32] -> y[T,N] act (may differ from x). */
  SY_OP_LINEAR = 2,
  /* x[T,H,d] act, pos[T] I32, inv_freq[r/2] weight F32 -> y like x, may be in place; the first r
   * elements of each head turn by pos * inv_freq and are multiplied by `scale` (YaRN's attention
   * factor), the rest pass. Pairs are (i, i + r/2) or, if rope_interleaved, (2i, 2i + 1). */
  SY_OP_ROPE = 3,
  /* k[T,G,d] act, v[T,G,dv] act, slots[T] I32, k_pages[n,P,G,d], v_pages[n,P,G,dv] -> none; row t goes
   * to page slots[t] / P, row slots[t] % P; a negative slot is skipped. Pages are ARGUMENT tensors
   * of dims as given, F32, F16 or BF16; what a chip keeps inside such memory is its own business, as
   * long as attention and kv_export agree with it and the size is the same. */
  SY_OP_KV_STORE = 4,
  /* q[T,H,d] act, k_pages[n,P,G,d], v_pages[n,P,G,dv], page_table[B,M] I32, query_start[B+1] I32,
   * kv_length[B] I32, [sinks[H] weight F32] -> y[T,H,dv] act. Sequence b owns query rows
   * query_start[b] .. query_start[b+1]; its last query sits at position kv_length[b] - 1. Rows of no
   * sequence are undefined. Each query sees positions <= its own, and only the last `window` of them
   * if window > 0. Entries of page_table for positions that no query sees are not read. Scores are
   * scale * q.k, then cap * tanh(score / cap) if softcap > 0, then a softmax over them and, if given,
   * the head's sink. Head h reads key/value head h / (H / G). The three index tensors are bound with
   * their host copy as well. */
  SY_OP_ATTENTION = 5,
  /* gate[T,F] act, up[T,F] act -> y[T,F]; y = activation(gate) * up. */
  SY_OP_GATED_ACTIVATION = 6,
  /* a[...], b[...] act, same dims -> y, may be in place of a; y = a + b. */
  SY_OP_ADD = 7,
  /* x[...] act -> y, may be in place; y = scale * x, or softcap * tanh(scale * x / softcap). */
  SY_OP_SCALE = 8,
  /* x[T,D] act, rows[B] I32 -> y[B,D]. */
  SY_OP_ROW_GATHER = 9,
  /* x[...] -> y[...], same dims, other type or strides. Narrowing rounds to nearest even. */
  SY_OP_COPY = 10,
  /* x[B,V] act -> values[B,k] F32, ids[B,k] I32; largest first, the lower index first among equals,
   * NaN after everything. */
  SY_OP_TOP_K = 11,
  /* logits[T,E] act, [bias[E] weight F32] -> ids[T,k] I32, weights[T,k] F32. Scores are softmax or
   * sigmoid of the logits over all E; the k largest (by score + bias, lower index first among equals)
   * are chosen, in that order; their scores, without the bias, are divided by their sum if
   * router_renormalise, and multiplied by `scale`. */
  SY_OP_ROUTER_TOP_K = 12,
  /* x[T,K] or x[T,k,K] act, w[E,N,K] weight, ids[T,k] I32 -> y[T,k,N]; y[t,j] = w[ids[t,j]] x[t,(j)]. */
  SY_OP_GROUPED_LINEAR = 13,
  /* y[T,k,D] act, weights[T,k] F32 -> z[T,D]; z[t] = sum_j weights[t,j] * y[t,j], in order of j. */
  SY_OP_COMBINE = 14,
  /* x[T,H,K] act, w[H,N,K] weight -> y[T,H,N]; one matrix a head (MLA's absorbed projections). */
  SY_OP_BATCHED_LINEAR = 15,
  SY_OP_KIND_COUNT
};

#define SY_NO_TENSOR 0xffffffffu
#define SY_MAX_INPUTS 8
#define SY_MAX_OUTPUTS 2

typedef uint32_t sy_activation;
enum { SY_ACTIVATION_SILU = 0, SY_ACTIVATION_GELU_TANH = 1, SY_ACTIVATION_GELU_ERF = 2 };
typedef uint32_t sy_scoring;
enum { SY_SCORING_SOFTMAX = 0, SY_SCORING_SIGMOID = 1 };

typedef struct sy_op {
  uint32_t struct_size;
  sy_op_kind kind;
  uint32_t inputs[SY_MAX_INPUTS];   /* indices of tensors, SY_NO_TENSOR where absent */
  uint32_t outputs[SY_MAX_OUTPUTS];
  float scale;                /* 1 unless the operation says otherwise */
  float eps;
  float softcap;              /* 0: none */
  uint32_t window;            /* 0: none */
  sy_activation activation;
  sy_scoring scoring;
  uint32_t rope_interleaved;
  uint32_t router_renormalise;
} sy_op;

/* Operations run as if one after the other in the order given. */
typedef struct sy_program_desc {
  uint32_t struct_size;
  uint32_t tensor_count;
  const sy_tensor* tensors;
  uint32_t op_count;
  const sy_op* ops;
  uint32_t slot_count;
} sy_program_desc;

/* What one argument slot is for one run. A slot that no tensor names may be all zero. */
typedef struct sy_binding {
  uint32_t struct_size;
  sy_buffer* buffer;
  uint64_t offset_bytes;      /* a multiple of the device's alignment_bytes */
  /* For page_table, query_start and kv_length of attention: the same contents in host memory, valid
   * until program_run returns. Null for other slots. */
  const void* host_copy;
} sy_binding;

typedef uint32_t sy_kv_part;
enum { SY_KV_KEYS = 0, SY_KV_VALUES = 1 };

/* ---- Devices --------------------------------------------------------------------------------- */

typedef uint32_t sy_device_flags;
enum {
  SY_DEVICE_HOST_MEMORY = 1u << 0, /* buffers can be mapped: buffer_map works */
  SY_DEVICE_COMPUTES_NOTHING = 1u << 1, /* results are meaningless (null chip) */
  /* A row of a result does not depend on the other rows of the batch, nor on thread counts. */
  SY_DEVICE_BATCH_INVARIANT = 1u << 2,
  /* The plain truth that others are compared with: never chosen unless asked for by name. */
  SY_DEVICE_REFERENCE = 1u << 3
};

typedef uint32_t sy_proof;
enum { SY_PROOF_COMPILED = 0, SY_PROOF_RUN_ON_EMULATOR = 1, SY_PROOF_RUN_ON_SILICON = 2 };

typedef struct sy_device_properties {
  uint32_t struct_size;
  char name[128];             /* as its maker calls it */
  char maker[64];
  char architecture[64];      /* which of its code paths was chosen for this device */
  uint64_t memory_bytes;
  uint64_t alignment_bytes;   /* of bindings' offsets and of rows that want to be fast */
  uint32_t kv_page_multiple;  /* P must be a multiple of this */
  sy_device_flags flags;
  sy_proof proof;
  uint32_t unit_count;        /* cores, SMs, ... that the device will use */
} sy_device_properties;

/* A device refuses an option that it does not know, or a value that it cannot take, with
 * SY_INVALID_ARGUMENT and a sentence that names it. */
typedef struct sy_option {
  uint32_t struct_size;
  const char* name;           /* such as "threads" */
  const char* value;
} sy_option;

typedef uint32_t sy_ceiling;
enum {
  SY_CEILING_MEMORY_GB_S = 0, /* streaming read of much more than the caches hold; dtype ignored */
  SY_CEILING_GFLOP_S = 1      /* dense multiply-adds (2 each) with inputs of `dtype`, I8 included */
};

/* How a linear's weight is used, so that the chip can pick its layout: or-ed together. */
typedef uint32_t sy_weight_use;
enum {
  SY_WEIGHT_LINEAR = 1u << 0,    /* LINEAR, GROUPED_LINEAR, BATCHED_LINEAR */
  SY_WEIGHT_EMBEDDING = 1u << 1, /* EMBEDDING */
  SY_WEIGHT_VECTOR = 1u << 2     /* norm weights, biases, frequencies, sinks: F32 */
};

typedef struct sy_weight_desc {
  uint32_t struct_size;
  sy_dtype dtype;
  uint32_t rank;
  int64_t dims[SY_MAX_RANK];  /* [N,K], [E,N,K] or [D]; quantised blocks along the last */
  sy_weight_use use;
  const void* data;           /* host memory, dense; read during the call only */
  uint64_t data_bytes;
} sy_weight_desc;

typedef struct sy_weight_properties {
  uint32_t struct_size;
  uint64_t memory_bytes;      /* what it occupies on the device */
  /* What one use by LINEAR with one row reads of it; of a weight of rank 3, of one matrix. */
  uint64_t read_bytes;
  char layout[64];            /* for reports: "q4_1, 16-row panels; activations int8 by 32" */
} sy_weight_properties;

typedef struct sy_program_properties {
  uint32_t struct_size;
  uint64_t workspace_bytes;   /* to be given to program_run; may be 0 */
} sy_program_properties;

/* ---- The host, as a plugin sees it ------------------------------------------------------------ */

typedef uint32_t sy_log_level;
enum { SY_LOG_DEBUG = 0, SY_LOG_INFO = 1, SY_LOG_WARNING = 2, SY_LOG_ERROR = 3 };

typedef struct sy_host {
  uint32_t struct_size;
  uint32_t interface_version;
  void (*log)(sy_log_level level, const char* sentence);
  const char* cache_dir;      /* writable folder for compiled kernels; outlives the plugin */
} sy_host;

/* ---- The table ------------------------------------------------------------------------------- */

typedef struct sy_chip_api {
  uint32_t struct_size;
  uint32_t interface_version;    /* the version this plugin was written to */
  uint32_t oldest_host_version;  /* the oldest host it can live with */
  const char* name;              /* "cpu": as in --chip */

  /* Devices. device_count may be slow or crash in a bad driver: the host first calls it in a child
   * process with a time limit. Zero devices is success. */
  sy_status (*device_count)(uint32_t* count);
  sy_status (*device_properties)(uint32_t index, sy_device_properties* properties);
  sy_status (*device_open)(uint32_t index, const sy_option* options, uint32_t option_count,
                           sy_device** device);
  void (*device_close)(sy_device* device); /* after everything made from it is destroyed */
  /* Memory still free, in bytes. */
  sy_status (*memory_available)(sy_device* device, uint64_t* bytes);

  /* Memory. Contents are undefined at first. A buffer of no bytes can be had; operations on no bytes
   * of any buffer succeed and do nothing. */
  sy_status (*buffer_create)(sy_device* device, uint64_t bytes, sy_buffer** buffer);
  void (*buffer_destroy)(sy_buffer* buffer);
  sy_status (*buffer_map)(sy_buffer* buffer, void** address); /* optional; till destroyed */

  /* Queues and copies. */
  sy_status (*queue_create)(sy_device* device, sy_queue** queue);
  void (*queue_destroy)(sy_queue* queue);                        /* waits for its work */
  sy_status (*queue_sync)(sy_queue* queue);
  sy_status (*upload)(sy_queue* queue, sy_buffer* to, uint64_t to_offset, const void* from,
                      uint64_t bytes);                           /* [async] */
  sy_status (*download)(sy_queue* queue, void* to, sy_buffer* from, uint64_t from_offset,
                        uint64_t bytes);                         /* [async] */
  sy_status (*copy)(sy_queue* queue, sy_buffer* to, uint64_t to_offset, sy_buffer* from,
                    uint64_t from_offset, uint64_t bytes);       /* [async], same device, no overlap */
  sy_status (*fill)(sy_queue* queue, sy_buffer* to, uint64_t to_offset, uint8_t value,
                    uint64_t bytes);                             /* [async] */

  /* Events: a point in a queue. */
  sy_status (*event_create)(sy_device* device, sy_event** event);
  void (*event_destroy)(sy_event* event);
  sy_status (*event_record)(sy_queue* queue, sy_event* event);   /* [async] */
  sy_status (*event_wait)(sy_queue* queue, sy_event* event);     /* [async] queue waits for event */
  sy_status (*event_sync)(sy_event* event);                      /* the host waits */
  /* Both wait for the event as last recorded before the call; one never recorded holds nothing up. */

  /* Weights: the chip copies what it is given into the layout it likes, once. */
  sy_status (*weight_create)(sy_device* device, const sy_weight_desc* desc, sy_weight** weight);
  void (*weight_destroy)(sy_weight* weight);
  sy_status (*weight_properties)(sy_weight* weight, sy_weight_properties* properties);

  /* Whether the chip can run operation `op` of `desc`: a pure function of kinds, types, dims, strides
   * and attributes. 1 yes, 0 no (last_error says why). */
  int32_t (*op_supported)(sy_device* device, const sy_program_desc* desc, uint32_t op);

  /* Programs. `desc` is read during the call only; weights must outlive the program. Fails with
   * SY_UNIMPLEMENTED if op_supported is 0 for any operation. */
  sy_status (*program_create)(sy_device* device, const sy_program_desc* desc, sy_program** program);
  void (*program_destroy)(sy_program* program);
  sy_status (*program_properties)(sy_program* program, sy_program_properties* properties);
  /* [async] Workspace: at least workspace_bytes at `workspace_offset`, shared with no other run in
   * flight. Bindings are read during the call only, buffers stay in use until the run is done. */
  sy_status (*program_run)(sy_program* program, const sy_binding* bindings, uint32_t binding_count,
                           sy_buffer* workspace, uint64_t workspace_offset, sy_queue* queue);

  /* The reason of the last failure on this thread; valid until this thread's next call. */
  const char* (*last_error)(void);

  /* Optional. Measures, for at most about a second, what this device can do at best. */
  sy_status (*measure_ceiling)(sy_device* device, sy_ceiling ceiling, sy_dtype dtype, double* value);

  /* Optional, both or none; null means that pages are inside as their dims say. One page of a
   * k_pages or v_pages tensor [n,P,G,d] to or from host memory in the chip-neutral layout [P,G,d] of
   * its own dtype. [async] */
  sy_status (*kv_export)(sy_queue* queue, sy_kv_part part, const sy_tensor* pages,
                         const sy_binding* binding, uint32_t page, void* to);
  sy_status (*kv_import)(sy_queue* queue, sy_kv_part part, const sy_tensor* pages,
                         const sy_binding* binding, uint32_t page, const void* from);

  /* Optional; null means that device_properties(index) says it all. The properties of this opened
   * device, where options ("threads", "isa", ...) may have changed what it is. */
  sy_status (*opened_properties)(sy_device* device, sy_device_properties* properties);

  /* Optional, all four or none: capture and replay. Between begin and end the queue takes
   * program_run, copy and fill, which are recorded and not done; anything else given to it fails.
   * capture_replay [async] does all of it again, in order, on any queue of the device, with what the
   * buffers then contain; host copies of bindings are read anew from where they were, so they must
   * stay valid for the life of the capture. Programs, buffers and weights must outlive it. A failed
   * capture_end leaves no capture, and the queue as it was before begin. */
  sy_status (*capture_begin)(sy_queue* queue);
  sy_status (*capture_end)(sy_queue* queue, sy_capture** capture);
  sy_status (*capture_replay)(sy_capture* capture, sy_queue* queue);
  void (*capture_destroy)(sy_capture* capture);
} sy_chip_api;

/* The one symbol a plugin exports. Called once, before anything else; `host` outlives the plugin.
 * Must not touch the driver. Null if the plugin can't live with this host at all. */
#define SY_ENTRY_NAME "switchyard_chip_entry"
typedef const sy_chip_api* (*sy_chip_entry)(const sy_host* host);

#if defined(__GNUC__)
#define SY_EXPORT __attribute__((visibility("default")))
#else
#define SY_EXPORT
#endif

#ifdef __cplusplus
}
#endif
#endif /* SWITCHYARD_CHIP_H_ */
