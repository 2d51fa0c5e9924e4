#!/usr/bin/env python3
"""Writes block_formats.bin: random blocks of each quantised format, and what they mean.

The values come from the PyPI package `gguf` (pip install gguf), whose dequantisers are independent
of this project. The file is a sequence of records, little-endian:

    name   16 bytes, padded with zeros, such as "q4_k"
    size   uint32, bytes of blocks
    count  uint32, elements
    blocks [size] bytes
    values [count] float32
"""

import pathlib
import struct

import gguf
import numpy as np

ELEMENTS = 2560
FORMATS = ["BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
           "IQ4_NL", "IQ4_XS", "MXFP4"]
# Where each block holds halves, which must be finite: a NaN's bits are nobody's promise.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
          "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
          "IQ4_NL": [0], "IQ4_XS": [0]}


def random_blocks(name, rng):
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = ELEMENTS // block_elements
    blocks = rng.integers(0, 256, (count, block_bytes), dtype=np.uint8)
    for place in HALVES.get(name, []):
        halves = rng.integers(0, 0x7C00, count, dtype=np.uint16)  # finite and not negative
        halves |= rng.integers(0, 2, count, dtype=np.uint16) << 15
        halves[:4] = [0x0000, 0x8000, 0x0001, 0x7BFF]  # zeros, smallest subnormal, largest
        blocks[:, place:place + 2] = halves.view(np.uint8).reshape(count, 2)
    if name == "MXFP4":
        blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
    if name == "BF16":
        words = blocks.view(np.uint16)
        words[(words & 0x7F80) == 0x7F80] &= 0x80FF
    return blocks


def main():
    rng = np.random.default_rng(20240607)
    out = pathlib.Path(__file__).with_name("block_formats.bin")
    with out.open("wb") as file:
        for name in FORMATS:
            blocks = random_blocks(name, rng)
            values = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name])
            values = values.astype("<f4").ravel()
            assert values.size == ELEMENTS and not np.isnan(values).any(), name
            file.write(struct.pack("<16sII", name.lower().encode(), blocks.size, values.size))
            file.write(blocks.tobytes())
            file.write(values.tobytes())


if __name__ == "__main__":
    main()
