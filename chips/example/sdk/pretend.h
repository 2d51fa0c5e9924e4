// The library of a vendor that there is not, for a card that there is not. It stands for what a
// real vendor ships: a runtime and a set of ready operations, with rules of their own. Whatever
// chips/ example knows of its device, it knows from this header.
//
// The card's rules, each of which real cards have:
//   - Its memory is its own: an Address is nothing that the host can follow.
//   - Streams work behind the caller's back. What goes wrong there is told when a stream or an
//   event
//     is synchronised, and everything after it on that stream is dropped until then.
//   - Memory that an operation works on begins at a multiple of 256 bytes; a tensor may lie
//   anywhere
//     in it. Rows of a matrix that is multiplied with are padded to multiples of 64 bytes.
//   - Its units take 16-bit floats and add up in 32 bits. Only products, casts and the values of
//     TopK come out as 32 bits; vectors of parameters (gamma, bias, frequencies) are 32 bits.
//   - Attention is planned on the host: it wants lengths in host memory, which it copies before it
//     returns, workspace before the run, and pages of a multiple of 16 positions.
//
// All functions may be called from any thread, those of one stream by one at a time.
#pragma once

#include <cstdint>

namespace pretend {

enum class Result { kOk, kBadArgument, kOutOfMemory, kMisaligned, kUnsupportedType, kFault };
const char* Text(Result result);

using Address = std::uint64_t;  // 0 is nowhere
struct Card;
struct Stream;
struct Event;

inline constexpr std::uint64_t kAlignmentBytes = 256;
inline constexpr std::uint64_t kMatrixRowBytes = 64;
inline constexpr int kPageMultiple = 16;

int CardCount();
Result OpenCard(int index, Card** card);
void CloseCard(Card* card);

Result MemorySizes(Card* card, std::uint64_t* free_bytes, std::uint64_t* total_bytes);
Result Allocate(Card* card, std::uint64_t bytes, Address* address);
void Free(Card* card, Address address);

Result CreateStream(Card* card, Stream** stream);
void DestroyStream(Stream* stream);  // waits for its work
Result Synchronise(Stream* stream);

// Host memory is read and written when the stream gets there.
Result CopyIn(Stream* stream, Address to, const void* from, std::uint64_t bytes);
Result CopyOut(Stream* stream, void* to, Address from, std::uint64_t bytes);
Result CopyWithin(Stream* stream, Address to, Address from, std::uint64_t bytes);
Result Fill(Stream* stream, Address to, std::uint8_t value, std::uint64_t bytes);

Result CreateEvent(Card* card, Event** event);
void DestroyEvent(Event* event);
Result Record(Stream* stream, Event* event);
Result Wait(Stream* stream, Event* event);  // as last recorded before this call
Result Synchronise(Event* event);

// ---- Operations ---------------------------------------------------------------------------------

enum class Type { kF16, kF32, kI32 };

// Dims outermost first. Offset and strides are in elements; the last dim is dense.
struct Tensor {
  Address memory = 0;
  std::int64_t offset = 0;
  Type type = Type::kF16;
  int rank = 1;
  std::int64_t dims[4] = {1, 1, 1, 1};
  std::int64_t strides[4] = {1, 1, 1, 1};
};

// y[T,N] = x[T,K] w[N,K]^T + bias[N]; y is f16 or f32, bias may be null.
Result Matmul(Stream* stream, const Tensor& x, const Tensor& w, const Tensor* bias,
              const Tensor& y);
Result Embedding(Stream* stream, const Tensor& table, const Tensor& ids, float scale,
                 const Tensor& y);
Result RmsNorm(Stream* stream, const Tensor& x, const Tensor& gamma, float eps, const Tensor& y);
// x[T,H,d]; may be in place, as Add (of a) and Scale may.
Result Rope(Stream* stream, const Tensor& x, const Tensor& positions, const Tensor& frequencies,
            float scale, bool interleaved, const Tensor& y);
// rows[T,G,d] to pages[n,P,G,d]; negative slots are left out.
Result StorePages(Stream* stream, const Tensor& rows, const Tensor& slots, const Tensor& pages);

struct AttentionCall {
  Tensor query;                               // [T,H,d]
  Tensor keys, values;                        // [n,P,G,d], [n,P,G,dv]
  Tensor page_table;                          // [B,M], on the card
  const std::int32_t* query_start = nullptr;  // [B+1], on the host
  const std::int32_t* kv_length = nullptr;    // [B], on the host
  const Tensor* sinks = nullptr;              // [H]
  float scale = 1;
  float softcap = 0;
  std::uint32_t window = 0;
  Tensor result;  // [T,H,dv]
  Address workspace = 0;
};
std::uint64_t AttentionWorkspaceBytes(const Tensor& keys, const Tensor& page_table);
Result Attention(Stream* stream, const AttentionCall& call);

enum class Gate { kSilu, kGeluTanh, kGeluErf };
Result GatedActivation(Stream* stream, const Tensor& gate, const Tensor& up, Gate kind,
                       const Tensor& y);
Result Add(Stream* stream, const Tensor& a, const Tensor& b, const Tensor& y);
// scale * x, or softcap * tanh(scale * x / softcap) if softcap is positive.
Result Scale(Stream* stream, const Tensor& x, float scale, float softcap, const Tensor& y);
Result GatherRows(Stream* stream, const Tensor& x, const Tensor& rows, const Tensor& y);
Result Cast(Stream* stream, const Tensor& x, const Tensor& y);  // f16 and f32, also to itself
Result TopK(Stream* stream, const Tensor& x, const Tensor& values, const Tensor& ids);

}  // namespace pretend
