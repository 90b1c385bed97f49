"""Comparing two variants by their tables of scores."""

from pathlib import Path

import pandas as pd

from gan.compute.tables import read_table
from gan.errors import StudyError
from gan.formatting import unknown
from gan.records.comparison import Contrast
from gan.stats.comparison import entry
from gan.stats.contrasts import run_tests
from gan.stats.scores import read_scores
from gan.study.loading import load_study
from gan.study.schema import Hypothesis


def compare(first: pd.DataFrame | Path | str, second: pd.DataFrame | Path | str, root: Path | str = ".") -> Contrast:
    """Whether `first` has a lower FID than `second`, at the last epoch at which both are scored.

    Each is the name of a variant in `reports/metrics/`, the path of such a table, or a table as `evaluate` returns it.
    The test is that of an exploratory contrast: rank sums of all runs, failed ones last. StudyError if the two have no
    epoch in common, or scores on different data.
    """
    root = Path(root)
    settings = load_study(root / "params.yaml").compare
    tables = [_table(each, root) for each in (first, second)]
    names = [str(table["variant"].iloc[0]) for table in tables]
    if names[0] == names[1]:
        names = [f"{name} ({place})" for name, place in zip(names, ("first", "second"), strict=True)]
    data = [str(table["data"].iloc[0]) for table in tables]
    if data[0] != data[1]:
        raise StudyError(f"{names[0]} is scored on {data[0]} and {names[1]} on {data[1]}: they can't be compared")
    whole = pd.concat([table.assign(variant=name) for table, name in zip(tables, names, strict=True)])
    scores = read_scores(whole.reset_index(drop=True), settings.metric, settings.learnt)
    claim = f"{names[0]} gives a lower {settings.metric} than {names[1]}."
    # Not validated: the names are those of tables, and of no variants of params.yaml.
    hypothesis = Hypothesis.model_construct(
        id="compared", kind="superiority", variant=names[0], against=names[1], text=claim
    )
    contrasts = run_tests("exploratory", [hypothesis], scores, settings)
    if not contrasts:
        raise StudyError(f"{names[0]} and {names[1]} were scored at no epoch in common")
    return entry(contrasts[0])


def _table(scores: pd.DataFrame | Path | str, root: Path) -> pd.DataFrame:
    if isinstance(scores, pd.DataFrame):
        table = scores
    elif Path(scores).suffix == ".csv":
        table = read_table(Path(scores))
    else:
        folder = root / "reports/metrics"
        if not (folder / f"{scores}.csv").exists():
            raise StudyError(f"{folder}: {unknown(str(scores), [path.stem for path in sorted(folder.glob('*.csv'))])}")
        table = read_table(folder / f"{scores}.csv")
    if not len(table):
        raise StudyError("a table without a row can't be compared")
    return table
