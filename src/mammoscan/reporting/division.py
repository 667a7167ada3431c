"""What a study's division keeps apart: said from the audit of what was done, not from what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mammoscan.number_format import format_share

Protocol = Literal["patient", "author", "scores", "external"]
Division = Literal["patients", "images", "shared", "article", "scores", "external", "seen", "unchecked"]


def find_division(protocol: str, patients_known: bool, audit: Mapping[str, Any]) -> Division:
    """Return what the test and training sides have in common.

    Args:
        protocol: ``patient`` or ``author``; ``scores``: a table of scores, of which nothing else is known;
            ``external``: a finished model on images from elsewhere.
        patients_known: Whether anything says whom an image is of.
        audit: The leak audit.

    Returns:
        ``article``: an article's own division; ``shared``: patients are known, and some are on both sides; ``images``:
        images are apart, and patients unknown; ``patients``: no patient is on both sides; ``scores``: nobody knows;
        ``external``: none of the images was seen in training; ``seen``: some were; ``unchecked``: that is not known.
    """
    if protocol == "scores":
        return "scores"
    if protocol == "external":
        seen = audit.get("views")
        return "unchecked" if seen is None else "seen" if seen.get("count") else "external"
    if protocol == "author":
        return "article"
    if (audit.get("patient") or {}).get("count"):
        return "shared"
    return "patients" if patients_known else "images"


def name_division(division: Division, audit: Mapping[str, Any]) -> str:
    """Return a division in a few words, e.g. ``patients kept apart``."""
    if division == "shared":
        share = (audit.get("patient") or {}).get("share", 0.0)
        shared = format_share(share, audit.get("test_images"))
        return f"images divided; {shared} of the test images share a patient with training"
    return {
        "patients": "patients kept apart",
        "images": "images kept apart; patients unknown",
        "article": "the article's own division",
        "scores": "a table of scores; what the model was trained on is not known",
        "external": "a finished model on images from elsewhere",
        "unchecked": "a finished model; whether it has seen the images is not known",
        "seen": "a finished model; some of the images were seen in training",
    }[division]
