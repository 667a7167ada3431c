"""What an answer of the final model is worth, and the card that says so."""

from mammoscan.pipelines.trust.pipeline import FIGURES, PARTS, SECTIONS, create_card, create_trust

__all__ = ["FIGURES", "PARTS", "SECTIONS", "create_card", "create_trust"]
