"""Values as a reader wants them."""

from __future__ import annotations

from typing import Any

from mammoscan.params import AugmentationParams


def format_value(value: Any) -> str:
    """Return a parameter's value; a missing one is ``none``."""
    if value is None or value != value:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def describe_changes(augmentation: AugmentationParams | None, random_views: bool) -> str:
    """Return what a training changes in its images at random; nothing where it shows them as they are."""
    changes = ["turned by quarter turns and mirrored"] if random_views else []
    if augmentation is not None:
        low, high = augmentation.zoom
        changes += [
            text
            for text, used in (
                (f"turned by up to {augmentation.rotation:g}°", augmentation.rotation),
                (f"sheared by up to {augmentation.shear:g}°", augmentation.shear),
                (f"zoomed by {low:g} to {high:g}", (low, high) != (1, 1)),
                ("mirrored left to right", augmentation.flip_horizontal),
                ("mirrored top to bottom", augmentation.flip_vertical),
                (
                    f"shifted by up to {augmentation.shift_height:.0%} of the height",
                    augmentation.shift_height,
                ),
                (f"shifted by up to {augmentation.shift_width:.0%} of the width", augmentation.shift_width),
                (f"brightened or darkened by up to {augmentation.brightness:.0%}", augmentation.brightness),
                (f"contrast changed by up to {augmentation.contrast:.0%}", augmentation.contrast),
            )
            if used
        ]
    return ", ".join(changes)
