#include "panel_packing.h"

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "row_codes.h"

namespace switchyard::cpu {
namespace {

using Byte = std::uint8_t;
using Word = std::uint32_t;

constexpr std::array kFormats = {
    //           type      panel        name    elems bytes  code sup min  per scl min
    WeightFormat{SY_F32, kPanelF32, "f32", 1, 4, 128, 0, 0, 0, 0, 0},
    WeightFormat{SY_F16, kPanelF16, "f16", 1, 2, 64, 0, 0, 0, 0, 0},
    WeightFormat{SY_BF16, kPanelBF16, "bf16", 1, 2, 64, 0, 0, 0, 0, 0},
    WeightFormat{SY_Q4_0, kPanelQ4_0, "q4_0", 32, 18, 16, 0, 0, 32, 2, 0},
    WeightFormat{SY_Q4_1, kPanelQ4_1, "q4_1", 32, 20, 16, 0, 0, 32, 2, 2},
    WeightFormat{SY_Q5_0, kPanelQ5_0, "q5_0", 32, 22, 20, 0, 0, 32, 2, 0},
    WeightFormat{SY_Q5_1, kPanelQ5_1, "q5_1", 32, 24, 20, 0, 0, 32, 2, 2},
    WeightFormat{SY_Q8_0, kPanelQ8_0, "q8_0", 32, 34, 32, 0, 0, 32, 2, 0},
    WeightFormat{SY_Q2_K, kPanelQ2_K, "q2_k", 256, 84, 8, 2, 2, 16, 1, 0},
    WeightFormat{SY_Q3_K, kPanelQ3_K, "q3_k", 256, 110, 12, 2, 0, 16, 1, 0},
    WeightFormat{SY_Q4_K, kPanelQ4_K, "q4_k", 256, 144, 16, 2, 2, 32, 1, 1},
    WeightFormat{SY_Q5_K, kPanelQ5_K, "q5_k", 256, 176, 20, 2, 2, 32, 1, 1},
    WeightFormat{SY_Q6_K, kPanelQ6_K, "q6_k", 256, 210, 24, 2, 0, 16, 1, 0},
    WeightFormat{SY_IQ4_NL, kPanelIQ4_NL, "iq4_nl", 32, 18, 16, 0, 0, 32, 2, 0},
    WeightFormat{SY_IQ4_XS, kPanelIQ4_XS, "iq4_xs", 256, 136, 16, 2, 0, 32, 1, 0},
    WeightFormat{SY_MXFP4, kPanelMXFP4, "mxfp4", 32, 17, 16, 0, 0, 32, 1, 0},
};

constexpr std::int64_t kPanelAlignment = 64;

std::int64_t Aligned(std::int64_t bytes, std::int64_t to) { return (bytes + to - 1) / to * to; }

bool HasEightBitCodes(PanelFormat format) { return format == kPanelQ8_0; }

int GroupElements(const WeightFormat& format) {
  return (format.scale_bytes == 2 ? kGroupBlocksOfHalves : kGroupBlocksOfBytes) * kBlock;
}

int CodeBits(const WeightFormat& format) { return format.code_bytes / 4; }

// ---- Codes of one block of one lane ------------------------------------------------------------
// w[g] holds the codes of elements 4g .. 4g + 3, a byte each. `to` is the lane's first word, and
// words of one vector lie `lanes` apart. kernels/quantised_blocks.h reads them back.

constexpr Word EachByte(Word byte) { return byte * 0x01010101U; }

void WriteNibbles(const Word* w, Word* to, int lanes) {
  for (int v = 0; v < 4; ++v) {
    to[v * lanes] = (w[v] & EachByte(0x0f)) | ((w[v + 4] & EachByte(0x0f)) << 4);
  }
}

// Bits [from, from + bits) of every code, bits * 8 of them in bits vectors.
void WritePlanes(const Word* w, int from, int bits, Word* to, int lanes) {
  const Word mask = EachByte((1U << bits) - 1);
  const int groups = 8 / bits;
  for (int v = 0; v < bits; ++v) {
    Word plane = 0;
    for (int g = 0; g < groups; ++g) plane |= ((w[v * groups + g] >> from) & mask) << (g * bits);
    to[v * lanes] = plane;
  }
}

void ReadNibbles(const Word* from, int lanes, Word* w) {
  for (int v = 0; v < 4; ++v) {
    w[v] = from[v * lanes] & EachByte(0x0f);
    w[v + 4] = (from[v * lanes] >> 4) & EachByte(0x0f);
  }
}

void ReadPlanes(const Word* from, int to, int bits, int lanes, Word* w) {
  const Word mask = EachByte((1U << bits) - 1);
  const int groups = 8 / bits;
  for (int v = 0; v < bits; ++v) {
    for (int g = 0; g < groups; ++g) {
      w[v * groups + g] |= ((from[v * lanes] >> (g * bits)) & mask) << to;
    }
  }
}

void WriteCodes(int bits, bool flip_sign, Word* w, Word* to, int lanes) {
  switch (bits) {
    case 2:
      return WritePlanes(w, 0, 2, to, lanes);
    case 3:
      WritePlanes(w, 0, 2, to, lanes);
      return WritePlanes(w, 2, 1, to + 2 * lanes, lanes);
    case 8:
      for (int g = 0; g < 8; ++g) to[g * lanes] = w[g] ^ (flip_sign ? EachByte(0x80) : 0);
      return;
    default:
      WriteNibbles(w, to, lanes);
      if (bits > 4) WritePlanes(w, 4, bits - 4, to + 4 * lanes, lanes);
  }
}

void ReadCodes(int bits, bool flip_sign, const Word* from, int lanes, Word* w) {
  std::memset(w, 0, 8 * sizeof(Word));
  switch (bits) {
    case 2:
      return ReadPlanes(from, 0, 2, lanes, w);
    case 3:
      ReadPlanes(from, 0, 2, lanes, w);
      return ReadPlanes(from + 2 * lanes, 2, 1, lanes, w);
    case 8:
      for (int g = 0; g < 8; ++g) w[g] = from[g * lanes] ^ (flip_sign ? EachByte(0x80) : 0);
      return;
    default:
      ReadNibbles(from, lanes, w);
      if (bits > 4) ReadPlanes(from + 4 * lanes, 4, bits - 4, lanes, w);
  }
}

// Element i of every lane side by side, `bytes` each.
void Interleave(const Byte* from, std::int64_t count, int bytes, int lane, int lanes, Byte* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(to + (i * lanes + lane) * bytes, from + i * bytes, static_cast<std::size_t>(bytes));
  }
}

void PackPlain(const WeightFormat& format, int lanes, const Byte* row, std::int64_t k, int lane,
               Byte* codes) {
  if (format.panel != kPanelBF16) return Interleave(row, k, format.block_bytes, lane, lanes, codes);
  for (std::int64_t i = 0; i < k; ++i) {
    std::memcpy(codes + ((i / 2 * lanes + lane) * 2 + i % 2) * 2, row + i * 2, 2);
  }
}

// ---- Numbers ------------------------------------------------------------------------------------

float HalfToFloat(std::uint16_t bits) {
  const Word sign = static_cast<Word>(bits & 0x8000U) << 16;
  const Word magnitude = bits & 0x7fffU;
  if (magnitude >= 0x7c00U) return std::bit_cast<float>(sign | 0x7f800000U | (magnitude << 13));
  return std::bit_cast<float>(
      sign | std::bit_cast<Word>(std::bit_cast<float>(magnitude << 13) * 0x1p112F));
}

float ReadHalf(const Byte* section, std::int64_t index) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, section + index * 2, 2);
  return HalfToFloat(bits);
}

constexpr std::array<std::int8_t, 16> kIQ4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                    1,    13,   25,  38,  53,  69,  89,  113};
constexpr std::array<std::int8_t, 16> kMXFP4Values = {0, 1,  2,  3,  4,  6,  8,  12,
                                                      0, -1, -2, -3, -4, -6, -8, -12};

float CodeValue(PanelFormat format, Byte code) {
  switch (format) {
    case kPanelQ4_0:
      return static_cast<float>(code - 8);
    case kPanelQ5_0:
      return static_cast<float>(code - 16);
    case kPanelQ3_K:
      return static_cast<float>(code - 4);
    case kPanelQ6_K:
      return static_cast<float>(code - 32);
    case kPanelQ8_0:
      return static_cast<float>(static_cast<std::int8_t>(code));
    case kPanelIQ4_NL:
    case kPanelIQ4_XS:
      return static_cast<float>(kIQ4Values[code]);
    case kPanelMXFP4:
      return static_cast<float>(kMXFP4Values[code]);
    default:
      return static_cast<float>(code);
  }
}

// Scale and minimum of sixteen elements, the group's `sixteenth`-th.
void ReadScales(const WeightFormat& format, const PanelLayout& l, int lanes, const Byte* group,
                int lane, int sixteenth, float* scale, float* min) {
  const int sub = sixteenth / (format.scale_elements / 16) * lanes + lane;
  const Byte* scales = group + l.scale;
  *min = 0.0F;
  switch (format.panel) {
    case kPanelMXFP4:
      *scale = std::bit_cast<float>(static_cast<Word>(scales[sub]) << 23);
      return;
    case kPanelQ4_K:
    case kPanelQ5_K:
      *scale = ReadHalf(group + l.super_scale, lane) * static_cast<float>(scales[sub]);
      *min = ReadHalf(group + l.super_min, lane) * -static_cast<float>(group[l.min + sub]);
      return;
    case kPanelQ2_K:
      *scale = ReadHalf(group + l.super_scale, lane) * static_cast<float>(scales[sub] & 0x0f);
      *min = ReadHalf(group + l.super_min, lane) * -static_cast<float>(scales[sub] >> 4);
      return;
    case kPanelQ3_K:
    case kPanelQ6_K:
    case kPanelIQ4_XS:
      *scale = ReadHalf(group + l.super_scale, lane) *
               static_cast<float>(static_cast<std::int8_t>(scales[sub]));
      return;
    default:
      *scale = ReadHalf(scales, sub);
      if (format.min_bytes != 0) *min = ReadHalf(group + l.min, sub);
  }
}

void UnpackPlain(const WeightFormat& format, int lanes, const Byte* codes, int lane, std::int64_t k,
                 float* y) {
  for (std::int64_t i = 0; i < k; ++i) {
    if (format.panel == kPanelF32) {
      std::memcpy(y + i, codes + (i * lanes + lane) * 4, 4);
    } else if (format.panel == kPanelF16) {
      y[i] = ReadHalf(codes, i * lanes + lane);
    } else {
      std::uint16_t bits = 0;
      std::memcpy(&bits, codes + ((i / 2 * lanes + lane) * 2 + i % 2) * 2, 2);
      y[i] = std::bit_cast<float>(static_cast<Word>(bits) << 16);
    }
  }
}

}  // namespace

const WeightFormat* FindWeightFormat(sy_dtype dtype) {
  for (const WeightFormat& format : kFormats) {
    if (format.dtype == dtype) return &format;
  }
  return nullptr;
}

PanelLayout LayoutPanels(const WeightFormat& format, std::int64_t k, int lanes, int bf16_depth) {
  PanelLayout layout = {};
  if (format.block_elements == 1) {
    layout.k = format.panel == kPanelBF16 ? Aligned(k, bf16_depth) : k;
    layout.panel_bytes = Aligned(layout.k * format.block_bytes * lanes, kPanelAlignment);
    return layout;
  }
  layout.k = k;
  const int group_elements = GroupElements(format);
  std::int64_t header_bytes = 0;
  const auto section = [&](int elements, int bytes) {
    const std::int64_t offset = header_bytes;
    if (bytes != 0) header_bytes += group_elements / elements * bytes * lanes;
    return offset;
  };
  layout.super_scale = section(group_elements, format.super_scale_bytes);
  layout.super_min = section(group_elements, format.super_min_bytes);
  layout.scale = section(format.scale_elements, format.scale_bytes);
  layout.min = section(format.scale_elements, format.min_bytes);
  const std::int64_t vector_bytes = std::int64_t{lanes} * 4;
  layout.codes = Aligned(header_bytes, vector_bytes);
  const auto group_bytes = [&](std::int64_t elements) {
    return layout.codes + elements / kBlock * format.code_bytes * lanes;
  };
  layout.group_bytes = group_bytes(group_elements);
  layout.panel_bytes = k / group_elements * layout.group_bytes;
  if (k % group_elements != 0) layout.panel_bytes += group_bytes(k % group_elements);
  layout.panel_bytes = Aligned(layout.panel_bytes, kPanelAlignment);
  return layout;
}

void PackPanel(const WeightFormat& format, const PanelLayout& layout, int lanes, bool signed_codes,
               const Byte* rows, std::int64_t row_bytes, int count, std::int64_t k, Byte* panel) {
  std::memset(panel, 0, static_cast<std::size_t>(layout.panel_bytes));
  if (format.block_elements == 1) {
    for (int lane = 0; lane < count; ++lane) {
      PackPlain(format, lanes, rows + lane * row_bytes, k, lane, panel);
    }
    return;
  }
  const auto length = static_cast<std::size_t>(k);
  std::vector<Byte> codes(length);
  std::vector<Byte> super_scale(length / 128 + 2);
  std::vector<Byte> super_min(length / 128 + 2);
  std::vector<Byte> scale(length / 16 * 2);
  std::vector<Byte> min(length / 16 * 2);
  const RowCodes parts = {codes.data(), super_scale.data(), super_min.data(), scale.data(),
                          min.data()};
  const bool flip_sign = HasEightBitCodes(format.panel) && !signed_codes;
  const int group_elements = GroupElements(format);
  for (int lane = 0; lane < count; ++lane) {
    TakeApart(format.panel, rows + lane * row_bytes, k, parts);
    Byte* group = panel;
    for (std::int64_t first = 0; first < k; first += group_elements, group += layout.group_bytes) {
      const auto length_here = static_cast<int>(std::min<std::int64_t>(group_elements, k - first));
      const auto interleave = [&](const std::vector<Byte>& from, int elements, int bytes,
                                  std::int64_t section) {
        if (bytes == 0) return;
        Interleave(from.data() + first / elements * bytes, length_here / elements, bytes, lane,
                   lanes, group + section);
      };
      interleave(super_scale, group_elements, format.super_scale_bytes, layout.super_scale);
      interleave(super_min, group_elements, format.super_min_bytes, layout.super_min);
      interleave(scale, format.scale_elements, format.scale_bytes, layout.scale);
      interleave(min, format.scale_elements, format.min_bytes, layout.min);
      for (int b = 0; b < length_here / kBlock; ++b) {
        Word w[8];
        std::memcpy(w, codes.data() + first + b * kBlock, kBlock);
        auto* to = reinterpret_cast<Word*>(group + layout.codes + b * format.code_bytes * lanes);
        WriteCodes(CodeBits(format), flip_sign, w, to + lane, lanes);
      }
    }
  }
}

void UnpackRow(const WeightFormat& format, const PanelLayout& layout, int lanes, bool signed_codes,
               const Byte* panel, int lane, std::int64_t k, float* y) {
  if (format.block_elements == 1) return UnpackPlain(format, lanes, panel, lane, k, y);
  const bool flip_sign = HasEightBitCodes(format.panel) && !signed_codes;
  const int group_elements = GroupElements(format);
  for (std::int64_t first = 0; first < k; first += kBlock, y += kBlock) {
    const Byte* group = panel + first / group_elements * layout.group_bytes;
    const auto b = static_cast<int>(first % group_elements / kBlock);
    const Byte* codes = group + layout.codes + b * format.code_bytes * lanes;
    Word w[8];
    ReadCodes(CodeBits(format), flip_sign, reinterpret_cast<const Word*>(codes) + lane, lanes, w);
    Byte bytes[kBlock];
    std::memcpy(bytes, w, kBlock);
    for (int half = 0; half < 2; ++half) {
      float scale = 0.0F;
      float min = 0.0F;
      ReadScales(format, layout, lanes, group, lane, b * 2 + half, &scale, &min);
      for (int i = half * 16; i < half * 16 + 16; ++i) {
        y[i] = scale * CodeValue(format.panel, bytes[i]) + min;
      }
    }
  }
}

}  // namespace switchyard::cpu
