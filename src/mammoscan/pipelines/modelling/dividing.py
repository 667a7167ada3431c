from __future__ import annotations

import pandas as pd

from mammoscan.evaluation import balance as balancing
from mammoscan.evaluation import splits
from mammoscan.sources.tables import read_folds
from mammoscan.studies import BalanceParams, SplitParams


def divide_samples(samples: pd.DataFrame, split: SplitParams) -> pd.DataFrame:
    """Divide the samples into folds, or adopt the division in ``split.file``.

    Returns:
        ``folds``: a row a sample, a column a fold, saying on which side it stands.
    """
    return splits.divide_samples(samples, split, split.folds, given=read_folds(split.file))


def divide_pool(samples: pd.DataFrame, pool: pd.DataFrame, split: SplitParams) -> pd.DataFrame:
    """Divide the samples that balancing left; the others are ``out`` of every fold."""
    return splits.divide_samples(
        samples, split, split.folds, pool=set(pool["sample_id"]), given=read_folds(split.file)
    )


def split_folds(folds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give each fold its own rows, so that folds can be worked on apart."""
    return {
        f"{name}_rows": rows[rows["role"] != "out"].assign(fold=int(name.removeprefix("fold_")))
        for name, rows in splits.split_folds(folds).items()
    }


def balance_samples(
    rows: pd.DataFrame, samples: pd.DataFrame, balance: BalanceParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the classes of a fold's training side even; its test and validation rows stay as they are.

    Returns:
        The fold's rows, and the counts of each class on the training side before and after.
    """
    kept = balancing.balance_rows(rows, samples, balance)
    before, after = (samples.iloc[some.loc[some["role"] == "train", "row"]] for some in (rows, kept))
    return kept, balancing.count_classes(before, after)


def balance_pool(
    samples: pd.DataFrame, census: pd.DataFrame, balance: BalanceParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the classes even before they are divided, as the article did.

    Args:
        samples: The samples that the question is about.
        census: Group and severity of all images of the data set, which set the sizes.
        balance: The article's method.

    Returns:
        The samples left, and the counts of each class before and after.
    """
    pool = balancing.balance_samples(samples, balance, reference=census)
    return pool, balancing.count_classes(samples, pool)


def gather_counts(*counts: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' counts into one table: the mean over the folds."""
    keys = [name for name in counts[0].columns if name not in ("before", "after")]
    totals = pd.concat(counts).groupby(keys, sort=False)[["before", "after"]].sum()
    # A fold without a class has no row for it, but counts as nothing of it.
    return (totals / len(counts)).round(1).reset_index()
