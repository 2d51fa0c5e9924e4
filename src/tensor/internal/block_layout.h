// Where the codes and group scales of less than a byte lie in a block: shared by the two directions
// of conversion, so that each packing is written down once. See tensor/block_formats.h for the
// words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace switchyard::tensor::internal {

struct BitPlace {
  std::size_t byte;
  unsigned shift;
};

constexpr BitPlace PlaceAt(std::size_t byte, std::size_t shift) {
  return {byte, static_cast<unsigned>(shift)};
}

// Element i of a block, for the formats named.
constexpr BitPlace Nibble16(std::size_t i) {  // the blocks of 32, and each group of IQ4_XS
  return PlaceAt(i / 32 * 16 + i % 16, 4 * (i % 32 / 16));
}
constexpr BitPlace Nibble32(std::size_t i) {  // Q4_K, Q5_K
  return PlaceAt(i / 64 * 32 + i % 32, 4 * (i % 64 / 32));
}
constexpr BitPlace Nibble64(std::size_t i) {  // Q6_K
  return PlaceAt(i / 128 * 64 + i % 64, 4 * (i % 128 / 64));
}
constexpr BitPlace Pair32(std::size_t i) {  // Q2_K, Q3_K; the high bits of Q6_K
  return PlaceAt(i / 128 * 32 + i % 32, 2 * (i % 128 / 32));
}
constexpr BitPlace Bit8(std::size_t i) { return PlaceAt(i / 8, i % 8); }     // high: Q5_0, Q5_1
constexpr BitPlace Bit32(std::size_t i) { return PlaceAt(i % 32, i / 32); }  // high: Q3_K, Q5_K

constexpr int Field(const std::uint8_t* bytes, BitPlace place, unsigned width) {
  return (bytes[place.byte] >> place.shift) & ((1 << width) - 1);
}

// Puts the low `width` bits of `value` where zeros are.
constexpr void SetField(std::uint8_t* bytes, BitPlace place, unsigned width, int value) {
  const int field = (value & ((1 << width) - 1)) << place.shift;
  bytes[place.byte] = static_cast<std::uint8_t>(bytes[place.byte] | field);
}

// Group g's 6-bit scale of Q3_K, before 32 is taken off.
constexpr BitPlace Q3ScaleLow(std::size_t g) { return PlaceAt(g % 8, 4 * (g / 8)); }
constexpr BitPlace Q3ScaleHigh(std::size_t g) { return PlaceAt(8 + g % 4, 2 * (g / 4)); }

// Group g's 6-bit scale and minimum of Q4_K and Q5_K, in two pieces each.
struct SplitPlace {
  BitPlace low;
  unsigned low_width;
  BitPlace high;
  unsigned high_width;
};
constexpr SplitPlace K4Scale(std::size_t g) {
  if (g < 4) return {PlaceAt(g, 0), 6, PlaceAt(0, 0), 0};
  return {PlaceAt(4 + g, 0), 4, PlaceAt(g - 4, 6), 2};
}
constexpr SplitPlace K4Minimum(std::size_t g) {
  if (g < 4) return {PlaceAt(4 + g, 0), 6, PlaceAt(0, 0), 0};
  return {PlaceAt(4 + g, 4), 4, PlaceAt(g, 6), 2};
}
constexpr int Field(const std::uint8_t* bytes, const SplitPlace& place) {
  return Field(bytes, place.low, place.low_width) | Field(bytes, place.high, place.high_width)
                                                        << place.low_width;
}
constexpr void SetField(std::uint8_t* bytes, const SplitPlace& place, int value) {
  SetField(bytes, place.low, place.low_width, value);
  SetField(bytes, place.high, place.high_width, value >> place.low_width);
}

}  // namespace switchyard::tensor::internal
