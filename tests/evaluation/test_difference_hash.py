from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mammoscan.evaluation import difference_hash as hashing
from mammoscan.evaluation.difference_hash import difference_hash, find_near


def draw_smooth(seed: int, side: int = 96) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def stack(*images: np.ndarray) -> np.ndarray:
    return np.stack(images)[..., None]


def test_a_copy_at_another_size_compression_or_brightness_is_near_and_another_image_is_not() -> None:
    original = draw_smooth(0)
    picture = Image.fromarray(original)
    smaller = np.asarray(picture.resize((64, 64)).resize((96, 96)))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=30)
    changed = stack(smaller, np.asarray(Image.open(stream)), np.clip(original * 0.9, 0, 255).astype(np.uint8))
    known = difference_hash(stack(original))
    assert find_near(difference_hash(changed), known).all()
    assert not find_near(difference_hash(stack(*(draw_smooth(seed) for seed in range(1, 60)))), known).any()


def test_plain_images_are_near_to_nothing_not_even_to_each_other() -> None:
    plain = stack(*(np.full((32, 32), value, np.uint8) for value in (0, 90, 255)))
    assert not find_near(difference_hash(plain), difference_hash(plain)).any()


BASE = np.full((1, 4), 0x0F0F_0F0F_0F0F_0F0F, dtype=np.uint64)


def flip(bits: int, word: int = 0) -> np.ndarray:
    changed = BASE.copy()
    changed[0, word] ^= np.uint64((1 << bits) - 1)
    return changed


def test_up_to_ten_bits_may_differ_wherever_they_stand() -> None:
    asked = np.concatenate([BASE, flip(10), flip(10, 3), flip(11), flip(11, 2)])
    assert find_near(asked, BASE).tolist() == [True, True, True, False, False]
    assert find_near(asked, BASE[:0]).tolist() == [False] * 5


def test_beyond_the_most_comparisons_only_equal_hashes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "MAX_PAIRS", 0)
    assert find_near(np.concatenate([BASE, flip(1, 3)]), BASE).tolist() == [True, False]


@pytest.mark.parametrize("shape", [(5, 48, 48, 1), (5, 500, 300, 3), (5, 4, 6, 1)])
def test_chunks_and_shapes_change_no_hash(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    whole = difference_hash(pixels)
    monkeypatch.setattr(hashing, "CHUNK_BYTES", 1)
    assert whole.tolist() == difference_hash(pixels).tolist()
    assert len(np.unique(whole, axis=0)) == 5
