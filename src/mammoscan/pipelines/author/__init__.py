"""The articles' claims: what each flaw carries, and what came out beside what was claimed."""

from mammoscan.pipelines.author.pipeline import (
    create_ablation_page,
    create_experiments_page,
    create_results,
)

__all__ = ["create_ablation_page", "create_experiments_page", "create_results"]
