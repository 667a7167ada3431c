from __future__ import annotations

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.models import build_network, describe_network, list_networks, summarise_network
from mammoscan.models.architectures import find_backbone
from mammoscan.models.backbones import cut_backbone, cut_head, list_head, set_frozen


def test_small_cnn_has_the_articles_parameters() -> None:
    model = build_network("small_cnn", (48, 48, 1), 2, seed=0)
    assert model.count_params() == 72_706
    assert model.output_shape == (None, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "parameters", "outputs"),
    [
        ("chest_cnn", (500, 500, 1), 1_467_137, 1),
        ("densenet201", (224, 224, 3), 18_333_506, 2),
        ("resnet50", (224, 224, 3), 23_858_370, 2),
        # 2.75 million is what its authors state.
        ("wrn_16_4", (50, 50, 3), 2_755_097, 1),
        ("mobilenet_v2", (64, 64, 3), 2_260_546, 2),
    ],
)
def test_networks_have_their_articles_parameters(
    name: str, shape: tuple[int, int, int], parameters: int, outputs: int
) -> None:
    model = build_network(name, shape, 2, seed=0)
    assert model.count_params() == parameters
    assert model.output_shape == (None, outputs)
    assert sum(row["parameters"] for row in describe_network(model)) == parameters


def test_more_labels_than_two_never_share_a_sigmoid() -> None:
    model = build_network("wrn_16_4", (16, 16, 3), 4, seed=0)
    assert model.output_shape == (None, 4)
    found = np.asarray(model(np.zeros((1, 16, 16, 3)), training=False))
    assert found.sum() == pytest.approx(1, abs=1e-6)


class TestBackbones:
    @pytest.mark.slow
    def test_one_seed_gives_one_set_of_weights_and_one_channel_is_enough(self) -> None:
        first, again, other = (
            build_network("mobilenet_v2", (32, 32, 1), 3, seed).get_weights() for seed in (5, 5, 6)
        )
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not np.array_equal(first[0], other[0])

    @pytest.mark.slow
    def test_what_differs_between_images_reaches_the_end_of_a_drawn_backbone(self) -> None:
        whole = build_network("mobilenet_v2", (32, 32, 3), 2, seed=5)
        images = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
        features = np.asarray(cut_backbone(whole)(images, training=False))
        assert features.std(axis=0).mean() > 0.01

    @pytest.mark.slow
    def test_the_head_alone_begins_as_the_head_of_the_whole_does(self) -> None:
        whole = build_network("mobilenet_v2", (32, 32, 3), 3, seed=5)
        alone = build_network("mobilenet_v2", (1280,), 3, seed=5)
        assert alone.output_shape == (None, 3)
        for mine, theirs in zip(alone.get_weights(), whole.get_weights()[-2:], strict=True):
            np.testing.assert_array_equal(mine, theirs)

    def test_backbone_and_head_together_are_the_whole(self) -> None:
        whole = build_network("mobilenet_v2", (32, 32, 3), 2, seed=5)
        images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
        features = cut_backbone(whole)(images, training=False)
        assert features.shape == (2, 1280)
        found = cut_head(whole)(features, training=False)
        np.testing.assert_allclose(found, whole(images, training=False), atol=1e-6)

    def test_a_frozen_backbone_leaves_only_the_head_to_learn(self) -> None:
        model = build_network("mobilenet_v2", (32, 32, 3), 2, seed=0)
        everything = len(model.trainable_variables)
        set_frozen(model, True)
        assert [variable.shape for variable in model.trainable_variables] == [(1280, 2), (2,)]
        assert [layer.name for layer in list_head(model)] == ["dropout", "probabilities"]
        set_frozen(model, False)
        assert len(model.trainable_variables) == everything

    def test_bfloat16_reaches_layers_that_cannot_be_told_and_leaves_no_policy_behind(self) -> None:
        import keras

        model = build_network("mobilenet_v2", (32, 32, 3), 2, seed=0, precision="bfloat16")
        assert model.get_layer("Conv1").compute_dtype == "bfloat16"
        assert model.layers[-1].compute_dtype == "float32"
        assert keras.config.dtype_policy().name == "float32"

    @pytest.mark.parametrize("shape", [(16, 64, 3), (64, 64, 4)])
    def test_images_that_it_cannot_see_are_refused(self, shape: tuple[int, int, int]) -> None:
        with pytest.raises(MammoscanError, match=r"expected 32 pixels at least and 1 or 3 channels"):
            build_network("mobilenet_v2", shape, 2, seed=0)

    def test_a_network_without_one_is_refused_where_one_is_needed(self) -> None:
        with pytest.raises(
            MammoscanError, match=r"freeze needs .* found small_cnn, expected one of .*resnet50"
        ):
            find_backbone("small_cnn", "freeze")


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
    assert rows[7] == {
        "name": "dense_1",
        "type": "Dense",
        "output_shape": (10, 10, 64),
        "parameters": 4160,
        "part": "",
    }
    assert sum(row["parameters"] for row in rows) == 72_706


def test_the_summary_names_every_layer_and_the_sum() -> None:
    text = summarise_network(build_network("small_cnn", (48, 48, 1), 2, seed=0))
    for words in ("network small_cnn", "conv_3", "20 x 20 x 64", "36,928", "72,706"):
        assert words in text
