"""What survives another recipe, tuning and other ground: ladder.json, search.json, scope.json and history.json."""

from pathlib import Path

from gan import errors
from gan.compute.tables import read_table, read_tables
from gan.files import read_json, write_json
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.records.robustness import History
from gan.records.toys import Toys
from gan.robustness.history import past
from gan.robustness.ladder import climbed
from gan.robustness.scope import scope
from gan.robustness.search import searched
from gan.study.loading import load_study
from gan.study.schema import Study


def main() -> None:
    study, reports = load_study(), Path("reports")
    ladder = climbed(read_table(reports / "ladder.csv"), study.ladder, study.baseline, study.compare)
    write_json(reports / "ladder.json", ladder)
    first, finals = (
        {name: read_table(reports / folder / f"{name}.csv") for name in study.search.objectives}
        for folder in ("search", "finals")
    )
    data = study.baseline.data
    mean_image = read_json(reports / "floor.json")[data]["controls"]["mean_image"][study.compare.metric]
    reference = study.variants[study.compare.reference].objective
    record = searched(study.search, study.compare, reference, data, mean_image, first, finals)
    write_json(reports / "search.json", record)
    pair = (reference, study.search.against)
    objectives = {name: variant.objective for name, variant in study.variants.items()}
    comparison, toys = read(Comparison, reports / "comparison.json"), read(Toys, reports / "toys.json")
    write_json(reports / "scope.json", scope(*pair, objectives, comparison, ladder, record, toys))
    write_json(reports / "history.json", _history(study, reports))


def _history(study: Study, reports: Path) -> History:
    """The earlier studies' tables, and this one's."""
    settings = study.compare
    contrasts = [(each.variant, each.against) for each in (*settings.hypotheses, *settings.controls)]
    paths = sorted((reports / "history-of-studies").glob("*.csv"), key=lambda path: path.stem)
    metrics = read_tables(reports / "metrics", settings.named)
    last = metrics["epoch"] == metrics["variant"].map({name: study.variants[name].epochs for name in settings.named})
    # A rehearsal is no study: its runs must not be pooled with those of the others.
    this = {} if study.rehearsal else {"this study": metrics[last]}
    studies = {path.stem: read_table(path) for path in paths} | this
    return past(studies, contrasts, settings.metric, 1 - settings.alpha)


if __name__ == "__main__":
    errors.run(main)
