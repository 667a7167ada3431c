"""The rules of the house, held over the real registry and the real configuration."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from mammoscan.pipeline_registry import register_pipelines
from mammoscan.provenance import RUN_PARAMETERS
from mammoscan.studies import STUDIES
from projects import ROOT, LoadConf, load_project_conf

PACKAGE = ROOT / "src" / "mammoscan"
PIPELINES = register_pipelines()
NODES = {
    f"{name}:{node.name}": node
    for name, pipeline in PIPELINES.items()
    for node in pipeline.nodes
    if name != "__default__"
}
ENTRIES = sorted({name for pipeline in PIPELINES.values() for name in pipeline.datasets()})
LAYERS = ("01_raw", "02_intermediate", "05_model_input", "06_models", "07_model_output", "08_reporting")
# Not one of them must be missing from the study that a person runs first.
USERS_WORDS = (
    "clean_notes",
    "subsample_rois",
    "balance_samples",
    "train_fold",
    "predict_fold",
    "report_classification",
    "draw_confusion_matrix",
)
ENVIRONMENTS = ("base", "test")


def name_parameters() -> list[str]:
    """Those that conf/ must hold: folders to work in and the run's facts are in the catalog."""
    names = (name for name in ENTRIES if name.startswith("params:") and not name.startswith(RUN_PARAMETERS))
    return sorted(name.removeprefix("params:") for name in names)


@pytest.fixture(params=ENVIRONMENTS, scope="module")
def env(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def catalog(env: str) -> DataCatalog:
    return DataCatalog.from_config(load_project_conf(env)["catalog"])


def list_stored() -> list[str]:
    return [name for name in ENTRIES if name != "parameters" and not name.startswith("params:")]


class TestCatalog:
    def test_every_dataset_of_every_pipeline_is_an_entry_on_disk(self, catalog: DataCatalog) -> None:
        missing = [name for name in list_stored() if name not in catalog]
        in_memory = [name for name in list_stored() if isinstance(catalog.get(name), MemoryDataset)]
        assert not missing
        assert not in_memory

    def test_every_file_lies_in_the_folder_of_its_layer(
        self, catalog: DataCatalog, load_conf: LoadConf, env: str
    ) -> None:
        data = Path(load_conf(env)["globals"]["data"])
        for name in list_stored():
            dataset: Any = catalog.get(name)
            [layer] = [room["layer"] for room in dataset.metadata.values() if "layer" in room]
            assert layer in LAYERS, name
            assert Path(dataset._filepath).is_relative_to(data / layer), name

    def test_no_two_entries_share_a_file(self, catalog: DataCatalog) -> None:
        files = [str(getattr(catalog.get(name), "_filepath", name)) for name in list_stored()]
        assert len(set(files)) == len(files)

    @pytest.mark.slow
    def test_a_run_of_the_test_environment_touches_nothing_of_the_base_one(self, load_conf: LoadConf) -> None:
        base, test = (DataCatalog.from_config(load_conf(env)["catalog"]) for env in ENVIRONMENTS)
        for name in list_stored():
            assert base.get(name)._filepath != test.get(name)._filepath

    def test_no_pattern_is_unused(self, load_conf: LoadConf) -> None:
        catalog = DataCatalog.from_config(load_conf()["catalog"])
        used = {catalog.config_resolver.match_dataset_pattern(name) or name for name in ENTRIES}
        of_run = {name for name in used if name.startswith(RUN_PARAMETERS)}
        assert set(load_conf()["catalog"]) == of_run | {n for n in used if not n.startswith("params:")}

    def test_every_entry_is_named_by_its_study_and_a_noun(self) -> None:
        for name in list_stored():
            form = r"[a-z_][a-z0-9_]*(\.[a-z_]+)?(\.(fold_\d+|final))?\.[a-z_]+"
            assert re.fullmatch(form, name), name


class TestParameters:
    def test_every_parameter_that_a_node_asks_for_exists(self, load_conf: LoadConf, env: str) -> None:
        parameters = load_conf(env)["parameters"]
        for name in name_parameters():
            value = parameters
            for key in name.split("."):
                assert key in value, name
                value = value[key]

    def test_no_parameter_is_unused(self) -> None:
        leaves: list[str] = []
        references: list[tuple[str, str]] = []

        def walk(block: dict[str, Any], at: str) -> None:
            for key, value in block.items():
                name = f"{at}.{key}" if at else key
                if isinstance(value, dict) and value:
                    walk(value, name)
                    continue
                leaves.append(name)
                for reference in re.findall(r"\$\{([.\w]+)\}", str(value)):
                    inside = reference.startswith(".")
                    references.append((name, f"{at}{reference}" if inside else reference))

        for file in sorted((ROOT / "conf" / "base").glob("parameters*.yml")):
            walk(yaml.safe_load(file.read_text()), "")
        used = set(name_parameters()) | {"privacy"}  # which hooks read

        def is_used(name: str) -> bool:
            parts = name.split(".")
            return any(".".join(parts[: n + 1]) in used for n in range(len(parts)))

        # What a used value is filled in from is used, and so on.
        while found := {to for at, to in references if is_used(at)} - used:
            used |= found
        assert [name for name in leaves if not is_used(name)] == []

    def test_the_folds_of_a_study_are_those_of_its_record(self, load_conf: LoadConf, env: str) -> None:
        parameters = load_conf(env)["parameters"]
        for study in STUDIES.values():
            block = parameters
            for key in study.name.split("."):
                block = block[key]
            assert block["split"]["folds"] == study.folds, study.name

    def test_the_test_environment_changes_no_split(self) -> None:
        text = (ROOT / "conf" / "test" / "parameters.yml").read_text()
        assert not re.search(r"\b(folds|split)\b\s*:", text)

    def test_the_test_environment_adds_no_parameter(self, load_conf: LoadConf) -> None:
        def list_leaves(block: dict[str, Any], at: str = "") -> set[str]:
            return {
                name
                for key, value in block.items()
                for name in (list_leaves(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}"})
            }

        base, test = (list_leaves(load_conf(env)["parameters"]) for env in ENVIRONMENTS)
        assert test == base


class TestNodes:
    @pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
    def test_every_node_is_named_for_what_it_does(self, pipeline: Pipeline) -> None:
        for node in pipeline.nodes:
            assert node._name is not None, node
            assert "_" in node._name, node.name

    @pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
    def test_every_node_stands_in_the_open_or_in_a_known_box(self, pipeline: Pipeline) -> None:
        boxes = {(node.namespace or "").partition(".")[0] for node in pipeline.nodes}
        assert boxes <= {"", "folds", "measuring", "trust", "figures_and_report", "variants", "mias"}

    @pytest.mark.parametrize("node", NODES.values(), ids=NODES)
    def test_every_node_says_what_it_does(self, node: Node) -> None:
        assert inspect.getdoc(node.func)

    def test_the_users_own_words_are_nodes_of_mias(self) -> None:
        names = {node._name for node in PIPELINES["mias"].nodes}
        assert set(USERS_WORDS) <= names

    def test_a_fold_of_a_study_is_a_namespace_of_its_own(self) -> None:
        for study in STUDIES.values():
            if study.name in PIPELINES:
                spaces = {node.namespace or "" for node in PIPELINES[study.name].nodes}
                folds = [space for space in spaces if re.fullmatch(r"folds\.fold_\d+", space)]
                assert len(folds) == study.folds, study.name

    def test_the_default_pipeline_is_mias(self) -> None:
        assert PIPELINES["__default__"] == PIPELINES["mias"]


class TestSources:
    FILES = sorted(PACKAGE.rglob("*.py"))

    @pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
    def test_no_file_prints(self, file: Path) -> None:
        text = file.read_text()
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]

    @pytest.mark.parametrize(
        "room", ["pipelines", "hooks", "datasets", "evaluation", "figures", "imaging", "data"]
    )
    def test_no_backend_is_named_outside_its_rooms(self, room: str) -> None:
        for file in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {module.split(".")[0] for module in modules} & {"keras", "tensorflow"}, file

    def test_start_up_loads_no_backend(self) -> None:
        code = (
            "import sys, mammoscan.settings\n"
            "from mammoscan.pipeline_registry import register_pipelines\n"
            "from mammoscan.datasets import KerasModelDataset\n"
            "register_pipelines(); KerasModelDataset(filepath='model.keras')\n"
            "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn'} & set(sys.modules)\n"
            "sys.exit(' '.join(loaded) or None)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert done.stderr == ""
        assert done.returncode == 0
