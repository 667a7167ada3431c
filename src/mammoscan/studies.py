"""What the graph must know about the studies before any parameter is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mammoscan.errors import MammoscanError

Protocol = Literal["patient", "author"]

Kind = Literal["classes", "numbers", "levels"]


@dataclass(frozen=True)
class Study:
    """What the graph must know about a study before any parameter is read.

    Attributes:
        name: Namespace of all its entries, e.g. ``mias`` or ``mias_author.without_copies``.
        dataset: Namespace of the data set that it reads.
        protocol: ``patient`` keeps patients apart and trains a final model; ``author`` repeats an article.
        folds: Number of divisions; an ``author`` study that repeats an article has one.
        features: Whether the graph has a place for the features of a frozen backbone, for recipes with ``freeze``;
            only where a final model is trained, as the folds then keep heads alone.
        own_images: Whether the study's own block of parameters says where its images are.
        kind: What is predicted: labels that exclude each other, a number, or an ordered level.
    """

    name: str
    dataset: str
    protocol: Protocol
    folds: int
    features: bool = False
    own_images: bool = False
    kind: Kind = "classes"

    def __post_init__(self) -> None:
        """Refuse what no graph can be made of."""
        if self.protocol not in get_args(Protocol):
            raise MammoscanError(
                f"Study {self.name!r}: protocol is {self.protocol!r}, expected one of: {', '.join(get_args(Protocol))}"
            )
        if not isinstance(self.folds, int) or self.folds < 1:
            raise MammoscanError(
                f"Study {self.name!r}: folds is {self.folds!r}, expected a whole number from 1 on"
            )

    @property
    def uses_features(self) -> bool:
        """Whether the graph computes features of a frozen backbone once."""
        return self.features and self.protocol == "patient"


# What the article reports on the side: calcifications unbalanced and without copies.
SIDE_CLAIM = "unbalanced"
ABLATION = (
    "without_copies",
    "without_rotations",
    "without_crop_scale",
    "without_epoch_choice",
    "without_any",
)
EXPERIMENTS = tuple(
    f"{group}_{balance}"
    for group in ("calcifications", "masses", "all_classes")
    for balance in ("class", "full")
)

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("mias", "mias", "patient", 5),
        Study("mias_normal", "mias", "patient", 5),
        Study("mias_search", "mias", "patient", 5),
        Study("mias_author", "mias", "author", 1),
        # Where regions stay on one side, a single split tests a handful of them: four folds test all.
        *(
            Study(
                f"mias_author.{name}",
                "mias",
                "author",
                4 if name in ("without_rotations", "without_any") else 1,
            )
            for name in ABLATION
        ),
        Study(f"mias_author.{SIDE_CLAIM}", "mias", "author", 1),
        *(Study(f"mias_author_all.{name}", "mias", "author", 1) for name in EXPERIMENTS),
        Study("pneumonia", "pneumonia", "patient", 5),
        Study("pneumonia_author", "pneumonia", "author", 1),
        Study("breakhis", "breakhis", "patient", 5, features=True),
        # For samples of the data set with only three patients of a label.
        Study("breakhis_threefold", "breakhis", "patient", 3, features=True),
        Study("breakhis_author", "breakhis", "author", 1),
        Study("breakhis_400x", "breakhis_400x", "patient", 5, features=True),
        Study("breakhis_400x_author", "breakhis_400x", "author", 1),
        Study("idc", "idc", "patient", 5),
        Study("idc_author", "idc", "author", 1),
    )
}


def register_study(study: Study) -> Study:
    """Make a study known; a module that pyproject.toml names under ``[tool.mammoscan]`` calls this."""
    STUDIES[study.name] = study
    return study
