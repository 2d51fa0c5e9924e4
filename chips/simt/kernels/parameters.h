// What each kernel is told besides its buffers. Part of the kernels' text and read by the host's
// planner too, so it is plain C of fixed-width members without padding.
#ifndef SWITCHYARD_SIMT_PARAMETERS_H_
#define SWITCHYARD_SIMT_PARAMETERS_H_

// Rows of a tensor: all dims but the last, padded to three with ones at the front. Strides in bytes.
typedef struct {
  i64 strides[3];
  i32 dims[3];
  i32 dtype;
} Rows;

#define SIMT_F32 0
#define SIMT_F16 1
#define SIMT_BF16 2

#define ELEMENTWISE_SILU 0
#define ELEMENTWISE_GELU_TANH 1
#define ELEMENTWISE_GELU_ERF 2
#define ELEMENTWISE_ADD 3
#define ELEMENTWISE_SCALE 4

typedef struct {
  Rows a;
  Rows b;
  Rows y;
  i32 length;
  i32 kind;
  float scale;
  float softcap;
} ElementwiseParameters;

typedef struct {
  Rows x;
  Rows y;
  i32 length;
  float eps;
} NormParameters;

// Plain copies move `element_bytes` at a time; conversions go by the rows' types. `index_count` is
// the number of rows that an index may choose, 0 where rows match one to one.
typedef struct {
  Rows x;
  Rows y;
  i32 length;
  i32 element_bytes;
  i32 converts;
  i32 index_count;
} CopyParameters;

typedef struct {
  Rows x;
  Rows y;
  i32 width;
  i32 pairs;
  i32 interleaved;
  float scale;
} RopeParameters;

typedef struct {
  Rows key;
  Rows value;
  i32 page_dtype;
  i32 slots;
  i32 heads;
  i32 key_width;
  i32 value_width;
  i32 unused;
} StoreParameters;

// Query rows of a group of attention at most, and numbers of all their queries, or sums, together.
#define ATTENTION_ROWS 32
#define ATTENTION_NUMBERS 2048

typedef struct {
  Rows q;
  Rows y;
  i32 page_dtype;
  i32 heads_each;
  i32 kv_heads;
  i32 key_width;
  i32 value_width;
  i32 page_size;
  i32 page_count;
  i32 sequences;
  i32 window;
  i32 has_sinks;
  float scale;
  float softcap;
  i32 table_stride;  // bytes
  i32 tokens;
  i32 block_tokens;  // of a group
  i32 block_heads;   // of those that share a key/value head
  i32 head_blocks;   // that such heads are divided into
  i32 unused;
} AttentionParameters;

typedef struct {
  Rows x;
  Rows first;   // values, or a router's ids
  Rows second;  // ids, or a router's weights
  i32 length;
  i32 chosen;
  i32 is_sigmoid;
  i32 renormalises;
  i32 has_bias;
  float scale;
} SelectParameters;

typedef struct {
  Rows y;
  Rows weights;
  Rows z;
  i32 length;
  i32 chosen;
} CombineParameters;

typedef struct {
  Rows y;
  i64 matrix_bytes;
  i32 blocks;  // of a row
  i32 rows;    // of the table
  i32 length;
  float scale;
} EmbeddingParameters;

#define LINEAR_PLAIN 0    // one matrix
#define LINEAR_BATCHED 1  // matrix j for column j of x [T, J, K]
#define LINEAR_GROUPED 2  // matrix ids[t, j]

// Column j is a head or a chosen expert; 1 of them in a plain product. Strides in bytes.
typedef struct {
  i64 x_token_stride;
  i64 x_column_stride;
  i64 y_token_stride;
  i64 y_column_stride;
  i64 ids_stride;
  i64 matrix_bytes;
  i32 tokens;
  i32 columns;
  i32 outer;
  i32 inner;
  i32 blocks;
  i32 x_dtype;
  i32 y_dtype;
  i32 mode;
  i32 matrices;
  i32 has_bias;
} LinearParameters;

#endif
