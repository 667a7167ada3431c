from __future__ import annotations

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.networks import build_network, describe_network, list_networks, summarise_network


def test_small_cnn_has_the_articles_parameters() -> None:
    model = build_network("small_cnn", (48, 48, 1), 2, seed=0)
    assert model.count_params() == 72_706
    assert model.output_shape == (None, 2)


def test_one_seed_gives_one_set_of_weights_and_another_seed_another() -> None:
    first, again, other = (
        build_network("small_cnn", (16, 16, 1), 3, seed).get_weights() for seed in (5, 5, 6)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.any())


def test_layers_of_one_shape_start_with_different_weights() -> None:
    model = build_network("small_cnn", (48, 48, 64), 2, seed=0)
    second, third = (model.get_layer(name).get_weights()[0] for name in ("conv_2", "conv_3"))
    assert not np.array_equal(second[:, :, :32], third[:, :, :32])


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MammoscanError, match=r"'large_cnn'.*small_cnn"):
        build_network("large_cnn", (48, 48, 1), 2, seed=0)
    assert "small_cnn" in list_networks()


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(MammoscanError, match=r"'float8'.*bfloat16"):
        build_network("small_cnn", (48, 48, 1), 2, seed=0, precision="float8")


def test_bfloat16_keeps_weights_and_probabilities_in_float32_and_leaves_no_policy_behind() -> None:
    import keras

    model = build_network("small_cnn", (16, 16, 1), 2, seed=0, precision="bfloat16")
    assert {layer.compute_dtype for layer in model.layers[:-1]} == {"bfloat16"}
    assert model.layers[-1].compute_dtype == "float32"
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_the_description_lists_layers_shapes_and_parameters() -> None:
    rows = describe_network(build_network("small_cnn", (48, 48, 1), 2, seed=0))
    assert [row["type"] for row in rows] == [
        *("Input", "Conv2D", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D"),
        *("Dropout", "Dense", "Dropout", "Flatten", "Dense"),
    ]
    assert rows[0]["output_shape"] == (48, 48, 1)
    assert rows[7] == {"name": "dense_1", "type": "Dense", "output_shape": (10, 10, 64), "parameters": 4160}
    assert sum(row["parameters"] for row in rows) == 72_706


def test_the_summary_names_every_layer_and_the_sum() -> None:
    text = summarise_network(build_network("small_cnn", (48, 48, 1), 2, seed=0))
    for words in ("network small_cnn", "conv_3", "20 x 20 x 64", "36,928", "72,706"):
        assert words in text
