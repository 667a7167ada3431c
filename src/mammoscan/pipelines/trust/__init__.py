"""What an answer of the final model is worth, and the card that says so."""

from mammoscan.pipelines.trust.pipeline import FIGURES, SECTIONS, create_card, create_trust

__all__ = ["FIGURES", "SECTIONS", "create_card", "create_trust"]
