#include "ops/internal/signatures.h"

#include <algorithm>
#include <array>

namespace switchyard::ops::internal {
namespace {

constexpr bool kOptional = true;

constexpr std::array kEmbeddingIn = {Place{"table", "VD", Kind::kWeight},
                                     Place{"ids", "T", Kind::kI32}};
constexpr std::array kEmbeddingOut = {Place{"y", "TD", Kind::kActivation}};

constexpr std::array kRmsNormIn = {Place{"x", "*D", Kind::kActivation},
                                   Place{"w", "D", Kind::kF32Weight}};
constexpr std::array kRmsNormOut = {Place{"y", "*D", Kind::kActivation}};

constexpr std::array kLinearIn = {Place{"x", "TK", Kind::kActivation},
                                  Place{"w", "NK", Kind::kWeight},
                                  Place{"bias", "N", Kind::kF32Weight, kOptional}};
constexpr std::array kLinearOut = {Place{"y", "TN", Kind::kOtherActivation}};

constexpr std::array kRopeIn = {Place{"x", "THd", Kind::kActivation}, Place{"pos", "T", Kind::kI32},
                                Place{"inv_freq", "h", Kind::kF32Weight}};
constexpr std::array kRopeOut = {Place{"y", "THd", Kind::kActivation}};

constexpr std::array kKvStoreIn = {
    Place{"k", "TGd", Kind::kActivation}, Place{"v", "TGe", Kind::kActivation},
    Place{"slots", "T", Kind::kI32}, Place{"k_pages", "nPGd", Kind::kPages},
    Place{"v_pages", "nPGe", Kind::kPages}};

constexpr std::array kAttentionIn = {Place{"q", "THd", Kind::kActivation},
                                     Place{"k_pages", "nPGd", Kind::kPages},
                                     Place{"v_pages", "nPGe", Kind::kPages},
                                     Place{"page_table", "BM", Kind::kHostI32},
                                     Place{"query_start", "s", Kind::kHostI32},
                                     Place{"kv_length", "B", Kind::kHostI32},
                                     Place{"sinks", "H", Kind::kF32Weight, kOptional}};
constexpr std::array kAttentionOut = {Place{"y", "THe", Kind::kActivation}};

constexpr std::array kGatedActivationIn = {Place{"gate", "TF", Kind::kActivation},
                                           Place{"up", "TF", Kind::kActivation}};
constexpr std::array kGatedActivationOut = {Place{"y", "TF", Kind::kActivation}};

constexpr std::array kAddIn = {Place{"a", "*", Kind::kActivation},
                               Place{"b", "*", Kind::kActivation}};
constexpr std::array kXIn = {Place{"x", "*", Kind::kActivation}};
constexpr std::array kYOut = {Place{"y", "*", Kind::kActivation}};

constexpr std::array kRowGatherIn = {Place{"x", "TD", Kind::kActivation},
                                     Place{"rows", "B", Kind::kI32}};
constexpr std::array kRowGatherOut = {Place{"y", "BD", Kind::kActivation}};

constexpr std::array kCopyIn = {Place{"x", "*", Kind::kAny}};
constexpr std::array kCopyOut = {Place{"y", "*", Kind::kAny}};

constexpr std::array kTopKIn = {Place{"x", "BV", Kind::kActivation}};
constexpr std::array kTopKOut = {Place{"values", "Bk", Kind::kF32}, Place{"ids", "Bk", Kind::kI32}};

constexpr std::array kRouterIn = {Place{"logits", "TE", Kind::kActivation},
                                  Place{"bias", "E", Kind::kF32Weight, kOptional}};
constexpr std::array kRouterOut = {Place{"ids", "Tk", Kind::kI32},
                                   Place{"weights", "Tk", Kind::kF32}};

constexpr std::array kGroupedLinearIn = {Place{"x", "TK", Kind::kActivation},
                                         Place{"w", "ENK", Kind::kWeight},
                                         Place{"ids", "Tk", Kind::kI32}};
constexpr std::array kGroupedLinearEachIn = {Place{"x", "TkK", Kind::kActivation},
                                             Place{"w", "ENK", Kind::kWeight},
                                             Place{"ids", "Tk", Kind::kI32}};
constexpr std::array kGroupedLinearOut = {Place{"y", "TkN", Kind::kActivation}};

constexpr std::array kCombineIn = {Place{"y", "TkD", Kind::kActivation},
                                   Place{"weights", "Tk", Kind::kF32}};
constexpr std::array kCombineOut = {Place{"z", "TD", Kind::kActivation}};

constexpr std::array kBatchedLinearIn = {Place{"x", "THK", Kind::kActivation},
                                         Place{"w", "HNK", Kind::kWeight}};
constexpr std::array kBatchedLinearOut = {Place{"y", "THN", Kind::kActivation}};

// In the order of chip.h's numbers.
constexpr std::array<Signature, SY_OP_KIND_COUNT> kSignatures = {{
    {SY_OP_EMBEDDING, kEmbeddingIn, kEmbeddingOut, kScale},
    {SY_OP_RMS_NORM, kRmsNormIn, kRmsNormOut, kEps},
    {SY_OP_LINEAR, kLinearIn, kLinearOut, kNone},
    {SY_OP_ROPE, kRopeIn, kRopeOut, kScale | kInterleaved, 0},
    {SY_OP_KV_STORE, kKvStoreIn, {}, kNone},
    {SY_OP_ATTENTION, kAttentionIn, kAttentionOut, kScale | kSoftcap | kWindow},
    {SY_OP_GATED_ACTIVATION, kGatedActivationIn, kGatedActivationOut, kActivationKind},
    {SY_OP_ADD, kAddIn, kYOut, kNone, 0},
    {SY_OP_SCALE, kXIn, kYOut, kScale | kSoftcap, 0},
    {SY_OP_ROW_GATHER, kRowGatherIn, kRowGatherOut, kNone},
    {SY_OP_COPY, kCopyIn, kCopyOut, kNone},
    {SY_OP_TOP_K, kTopKIn, kTopKOut, kNone},
    {SY_OP_ROUTER_TOP_K, kRouterIn, kRouterOut, kScale | kScoring | kRenormalise},
    {SY_OP_GROUPED_LINEAR, kGroupedLinearIn, kGroupedLinearOut, kNone},
    {SY_OP_COMBINE, kCombineIn, kCombineOut, kNone},
    {SY_OP_BATCHED_LINEAR, kBatchedLinearIn, kBatchedLinearOut, kNone},
}};

constexpr Signature kGroupedLinearEach = {SY_OP_GROUPED_LINEAR, kGroupedLinearEachIn,
                                          kGroupedLinearOut, kNone};

}  // namespace

const Signature* FindSignature(sy_op_kind kind, std::uint32_t first_input_rank) {
  if (kind >= SY_OP_KIND_COUNT) return nullptr;
  if (kind == SY_OP_GROUPED_LINEAR && first_input_rank == 3) return &kGroupedLinearEach;
  return &kSignatures[kind];
}

}  // namespace switchyard::ops::internal
