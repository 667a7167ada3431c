from __future__ import annotations

import numpy as np

from mammoscan.training.pixel_blocks import PixelBlocks


def test_streamed_blocks_hold_the_images_in_the_wanted_order() -> None:
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    rows = np.arange(39, 9, -1)
    order = np.random.default_rng(0).permutation(30)
    streamed = PixelBlocks(pixels, rows, lambda a: a, resident_bytes=0, block_bytes=9)
    blocks = list(streamed.iterate(order, batch_size=4))
    assert [block.first for block in blocks] == [0, 8, 16, 24]
    shown = np.concatenate([block.images[block.places] for block in blocks])
    assert np.array_equal(shown.ravel(), rows[order])
