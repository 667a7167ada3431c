"""What people say of the answers, right or wrong, kept in a local CSV file for later."""

from __future__ import annotations

import csv
import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mammoscan.errors import MammoscanError
from mammoscan.safe_text import defuse_formula
from mammoscan.serving.schemas import FeedbackRequest, ImageAnswer

COLUMNS = ("time", "model", "sha256", "label", "probability", "out_of_distribution", "right")
# So many answers can be rated after they were given.
MAX_REMEMBERED = 10_000


class FeedbackFile:
    """Appends one row per rating. No image and no file's name is kept: the digest tells which image it was."""

    def __init__(self, path: Path, model: str) -> None:
        """Open the file, so that one that cannot be written is reported before anybody rates anything."""
        self._path = path
        self._model = model
        self._answers: OrderedDict[str, ImageAnswer] = OrderedDict()
        self._lock = threading.Lock()
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                if file.tell() == 0:
                    csv.writer(file).writerow(COLUMNS)
        except OSError as error:
            raise MammoscanError(
                f"--feedback {path}: cannot be written ({error.strerror}), expected a CSV file in a writable folder"
            ) from error

    def remember(self, answers: Iterable[ImageAnswer]) -> None:
        """Keep answers, without their pictures, until they are rated or many others have come."""
        with self._lock:
            for answer in answers:
                if answer.sha256 is not None:
                    self._answers[answer.sha256] = answer.model_copy(update={"seen": None, "heat_map": None})
                    self._answers.move_to_end(answer.sha256)
            while len(self._answers) > MAX_REMEMBERED:
                self._answers.popitem(last=False)

    def add(self, rating: FeedbackRequest) -> bool:
        """Write a rating down; False where no such answer was given."""
        with self._lock:
            answer = self._answers.get(rating.sha256)
            if answer is None or answer.label is None:
                return False
            shares = answer.probabilities
            row = [
                datetime.now(UTC).isoformat(timespec="seconds"),
                self._model,
                rating.sha256,
                answer.label,
                shares[answer.positive] if answer.positive else max(shares.values()),
                answer.out_of_distribution,
                rating.right,
            ]
            with self._path.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file).writerow([defuse_formula(str(cell)) for cell in row])
            return True
