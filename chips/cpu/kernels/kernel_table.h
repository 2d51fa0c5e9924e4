// What the machine-independent part of the CPU chip (planner, packing, team) and the kernels agree
// on. The kernels are compiled once for each instruction set, from the same sources, so this header
// is plain C-like C++: no standard library templates, which a linker could merge across instruction
// sets, and nothing but constants, PODs and function pointers.
//
// Words: a *panel* is `lanes` consecutive output rows of a weight, interleaved; a *tile* is up to
// kTileTokens rows of activations, interleaved by block; a *block* is 32 elements along K.
#pragma once

#include <stdint.h>

namespace switchyard::cpu {

inline constexpr int kBlock = 32;         // elements along K that share an activation scale
inline constexpr int kTileTokens = 16;    // activation rows that one pass over a panel serves
inline constexpr int kMaxLanes = 16;      // rows of the widest panel
inline constexpr int kAttentionRows = 8;  // (query, head) pairs that one pass over keys serves
inline constexpr int kKeyBlock = 16;      // positions interleaved in a key page
inline constexpr int kChunk = 128;        // positions whose softmax is merged as one
inline constexpr int kChunkBlocks = kChunk / kKeyBlock;

// 32 activations as 15-bit integers q = 128 * high + low, so that two passes of byte dot products
// take them in: with one byte alone, a model of 135M parameters strays from its float32 logits by a
// KL divergence of 4e-3, with two by less than 1e-5.
//
// And what any weight format's correction needs: a weight that is stored as code - zero has the dot
// product sum(code * q) - zero * sum(q), and the second part joins the sum.
struct ActivationBlock {
  int8_t high[kBlock];  // -127 .. 127
  int8_t low[kBlock];   // -64 .. 63
  float scale;
  float sum;          // scale * sum(q)
  float half_sum[2];  // the same for elements 0..15 and 16..31
  int32_t zero8;      // -8 * sum(q)
  int32_t zero128;    // -128 * sum(q)
  int32_t zero32[2];  // -32 * sum(q) of elements 0..15 and 16..31
};
static_assert(sizeof(ActivationBlock) == 96);

// The same 32 elements of all tokens of a tile as tile instructions take them, made where there are
// any for tiles of six tokens or more. Every number is exact.
//   bf16 [tokens][32] 128 * high and then [tokens][32] low, where of each four elements the
//                     second and the third have changed places: so do codes that are spread to
//                     words by masks
//   f32  [4][tokens]  scale, sum and the two half sums
inline constexpr int kTilePlaneBytes = kBlock * 2;  // of a token
inline constexpr int kTileBlockBytes = 2 * kTilePlaneBytes + 4 * 4;
inline constexpr int kFewestTileTokens = 6;

// What a token's block takes in whichever of the two forms.
inline constexpr int kActivationBlockBytes =
    sizeof(ActivationBlock) > kTileBlockBytes ? sizeof(ActivationBlock) : kTileBlockBytes;

// How the rows of a panel are coded. The order is that of KernelTable::linear.
enum PanelFormat : int {
  kPanelF32 = 0,  // f32 [k][lanes]
  kPanelF16,      // f16 [k][lanes]
  kPanelBF16,     // bf16 [k / 2][lanes][2]
  kPanelQ4_0,
  kPanelQ4_1,
  kPanelQ5_0,
  kPanelQ5_1,
  kPanelQ8_0,
  kPanelQ2_K,
  kPanelQ3_K,
  kPanelQ4_K,
  kPanelQ5_K,
  kPanelQ6_K,
  kPanelIQ4_NL,
  kPanelIQ4_XS,
  kPanelMXFP4,
  kPanelFormatCount
};

// What a linear's input rows are turned into before its panels meet them.
enum ActivationKind : int {
  kActivationF32 = 0,  // f32 [k][tile]
  kActivationBF16,     // bf16 [k / 2][tile][2], or [tile][k] for tile instructions
  kActivationInt15,    // ActivationBlock [k / 32][tile], or tile blocks [k / 32]
  kActivationKindCount
};

// Where things lie in a panel. One of plain numbers is its codes and nothing else. A quantised one
// is a chain of groups of blocks, the last perhaps shorter, each its scales and then its codes: so
// one weight is one walk through memory, which processors fetch ahead far better than two. For the
// same reason groups are small, two blocks, where scales are halves and so many that a group's
// would fill many cache lines; scales of bytes belong to super-blocks of eight.
inline constexpr int kGroupBlocksOfHalves = 2;
inline constexpr int kGroupBlocksOfBytes = 8;

struct PanelLayout {
  int64_t k;  // elements of a row, padded to what the format needs
  // From the start of a group; absent sections have no bytes.
  int64_t super_scale;  // f16 [lanes]
  int64_t super_min;    // f16 [lanes]
  int64_t scale;        // f16, E8M0 or 8-bit [group elements / (32 or 16)][lanes]
  int64_t min;          // f16 or 8-bit, as scale
  int64_t codes;        // [group blocks][code bytes], a whole number of vectors into the group
  int64_t group_bytes;
  int64_t panel_bytes;
};

enum ElementType : int { kElementF32 = 0, kElementF16 = 1, kElementBF16 = 2 };

// One (panels x tile) result on its way to memory: y = act(out) * second, or out, + bias +
// residual.
struct TileStore {
  const float* out;             // [panels][tile][lanes]
  const float* second;          // the same of the `up` weight when gated, else null
  int activation;               // of sy_activation, when gated
  int tile;                     // token slots of the tile
  int tokens;                   // those in use
  const int64_t* y_row;         // where token t goes: bytes from y, [tokens]
  const int64_t* residual_row;  // and bytes from residual, [tokens]
  int64_t column;               // first of the panels' output columns
  int64_t columns;              // how many of them exist
  const float* bias;            // [N] or null
  const char* residual;         // rows of f32, or null
  char* y;
  int y_type;  // ElementType
};

// Keys and values of one chunk and up to kAttentionRows (query, head) pairs that read them.
struct AttentionChunk {
  int rows;
  int blocks;   // key blocks in use, 1..kChunkBlocks
  int kv_type;  // ElementType
  int64_t d;
  int64_t dv;
  float scale;
  float softcap;
  const float* q;               // [rows][d]
  const char* k[kChunkBlocks];  // each [d][kKeyBlock]
  const char* v[kChunkBlocks];  // each [kKeyBlock][dv]
  int begin[kAttentionRows];    // first and one past the last position seen, in the chunk
  int end[kAttentionRows];
  float* max;  // [rows]
  float* sum;  // [rows]
  float* o;    // [rows][dv]
};

struct KernelTable {
  const char* name;
  int lanes;
  // 8-bit and looked-up codes are stored as signed bytes rather than offset by 128.
  int signed_codes;
  int bf16_dot;    // BF16 weights meet activations rounded to BF16 (else F32)
  int bf16_depth;  // elements of K that a step over a BF16 panel takes; rows are padded to it

  // out[i][panel][token][lane] = the dot products of `panels` panels with `tiles` tiles of
  // activations, each of `tile` tokens and `tile_bytes` after the one before. Each sum is taken in
  // the same order whatever the three numbers are.
  void (*linear[kPanelFormatCount])(const PanelLayout* layout, const uint8_t* weight, int panels,
                                    const void* x, int tile, int tiles, int64_t tile_bytes,
                                    float* out);
  void (*store_tile)(const TileStore* store, int panels);

  // Row t of a tile of `tile` rows, from k floats; padded with zeros to padded_k.
  void (*pack_activations[kActivationKindCount])(const float* x, int64_t k, int64_t padded_k,
                                                 void* tile_base, int tile, int t);

  void (*widen)(const void* x, int type, float* y, int64_t n);
  void (*narrow)(const float* x, void* y, int type, int64_t n);
  void (*rms_norm)(const float* x, const float* weight, float* y, int64_t n, float eps);
  void (*add)(const float* a, const float* b, float* y, int64_t n);
  void (*scale)(const float* x, float* y, int64_t n, float scale, float softcap);
  void (*gated)(const float* gate, const float* up, float* y, int64_t n, int activation);
  // y += weight * x, or y = weight * x at first.
  void (*accumulate)(const float* x, float weight, float* y, int64_t n, int first);
  // One head: table is [r / 2] cosines and then [r / 2] sines; y may be x.
  void (*rope)(const float* x, float* y, const float* table, int64_t r, int64_t d, int interleaved);
  // y = exp(x - max), returns the sum; and the maximum of x.
  float (*exp_sum)(const float* x, float* y, int64_t n, float max);
  float (*maximum)(const float* x, int64_t n);
  // The first index from `from` on whose value is above the threshold or is NaN, or n.
  int64_t (*find_above)(const float* x, int64_t from, int64_t n, float threshold);

  // Into a key block: one position of [d][kKeyBlock].
  void (*store_key)(const float* key, int64_t d, char* block, int position, int type);
  void (*attend)(const AttentionChunk* chunk);
  // Adds a chunk's (max, sum, o) to the running one.
  void (*merge)(float* max, float* sum, float* o, float chunk_max, float chunk_sum,
                const float* chunk_o, int64_t dv);
  void (*divide)(float* o, float sum, int64_t dv);

  // Ceilings: sums `bytes` bytes (a multiple of 4096) to defeat the optimiser; runs `rounds` of
  // multiply-adds in registers and returns how many were done, or 0 if there is no such
  // instruction.
  uint64_t (*stream)(const uint8_t* from, uint64_t bytes);
  uint64_t (*peak_f32)(uint64_t rounds, float* sink);
  uint64_t (*peak_bf16)(uint64_t rounds, float* sink);
  uint64_t (*peak_int8)(uint64_t rounds, float* sink);
};

}  // namespace switchyard::cpu
