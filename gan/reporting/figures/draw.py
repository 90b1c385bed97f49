"""Which figures there are: each one's name, the records that it shows, and the function that draws it.

`draw` draws all that a study has results for, each for a wide and for a narrow page.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from gan.files import write
from gan.records.comparison import Contrast
from gan.reporting.figures import colours as colouring
from gan.reporting.figures import drawing, losses, mechanism, robustness, scores, training
from gan.reporting.figures.specifications import specifications
from gan.reporting.headline import spoken
from gan.reporting.results import Results, measured, suffix

PAGES = (drawing.WIDE, drawing.NARROW)
LISTED = 3  # files that a figure names one by one
AUDITS = ("audit-generator", "audit-discriminator")


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG for both pages, the files below reports/ that it shows, and what drew it: file and function."""

    wide: str
    narrow: str
    records: tuple[str, ...]
    code: str
    function: str

    @property
    def links(self) -> list[str]:
        """The records, or the folders of those that are many."""
        folders = [record.partition("/")[0] + "/" for record in self.records if "/" in record]
        if len(self.records) <= LISTED:
            return list(self.records)
        return list(dict.fromkeys([*(record for record in self.records if "/" not in record), *folders]))


@dataclass(frozen=True)
class Plan:
    """How a figure is to be drawn: a function of the page, and the files below reports/ with its numbers."""

    name: str
    make: partial[Figure]
    records: tuple[str, ...]

    def drawn(self, wide: str, narrow: str) -> Drawn:
        """The figure once it is drawn for both pages."""
        function = self.make.func
        code = f"{function.__module__.replace('.', '/')}.py"
        return Drawn(wide, narrow, self.records, code, function.__name__)


def draw(results: Results, folder: Path) -> dict[str, Drawn]:
    """Draw every figure, save the wide ones into `folder`, and remove the others of an earlier report."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in folder.glob("*.svg"):
        if figure.is_file() and drawing.is_saved(figure):
            figure.unlink()
    drawn = {}
    for plan in plans(results):
        svgs = {page: drawing.svg(plan.make(page=page)) for page in PAGES}
        wide, narrow = svgs[PAGES[0]], svgs[PAGES[-1]]
        write(folder / f"{plan.name}.svg", wide)
        drawn[plan.name] = plan.drawn(wide, narrow)
    return drawn


def plans(results: Results) -> Iterator[Plan]:
    """The figures that the results have numbers for."""
    yield from _of_experiments(results)
    yield from _of_memory(results)
    yield from _of_scores(results)
    yield from _of_training(results)
    yield from _of_losses(results)


def colours_of(results: Results) -> dict[str, str]:
    """The colour of every variant and objective that figures show."""
    memory = results.memory
    trained = [run.adam.objective for run in memory.runs] + [each.objective for each in memory.directions]
    both = (results.scope.variant, results.scope.against)
    objectives = [*results.ladder.objectives, *results.search.objectives, *both, *trained]
    fresh = [step.loss for step in results.mechanism.fresh_discriminator]
    return colouring.palette([*results.study.variants, *objectives, *fresh])


def _plan(name: str, records: Sequence[str], function: Callable[..., Figure], *arguments: Any) -> Plan:
    return Plan(name, partial(function, *arguments), tuple(records))


def _tables(kind: str, names: Sequence[str]) -> list[str]:
    return [f"{kind}/{name}.csv" for name in names]


def _of_experiments(results: Results) -> Iterator[Plan]:
    ladder, search, scope, colours = results.ladder, results.search, results.scope, colours_of(results)
    searched = ["search.json", *_tables("search", list(search.objectives))]
    yield _plan("map", searched, robustness.learning_map, search)
    yield _plan("best-of-k", searched, robustness.best_of_k, search, colours)
    yield _plan("ladder", ["ladder.json", "ladder.csv"], robustness.ladder, ladder, colours)
    if scope.grounds:
        names = [spoken(each) for each in (scope.variant, scope.against)]
        yield _plan("grounds", ["scope.json"], scores.grounds, scope, names, results.comparison.margin, colours)
    decided = [summary.contrast for summary in results.specifications.contrasts if summary.total]
    declared = [each.id for each in results.comparison.contrasts if each.family == "declared" and each.id in decided]
    if shown := declared or decided:
        yield _plan("specifications", ["specifications.json"], specifications, results.specifications, shown)
    paid = {name: results.training[name].seconds_per_epoch for name in results.followed}
    known = {name: seconds for name, seconds in paid.items() if seconds}
    snapshots = results.snapshots[results.snapshots["variant"].isin(list(known))]
    if len(snapshots):
        minutes = snapshots["epoch"] * snapshots["variant"].map(known) / 60
        own = {name: colours[name] for name in known}
        records = [*_tables("snapshots", list(known)), *(f"training/{name}.json" for name in known)]
        yield _plan("cost", records, robustness.cost, snapshots.assign(minutes=minutes), own)


def _of_memory(results: Results) -> Iterator[Plan]:
    memory, colours = results.memory, colours_of(results)
    steps = pd.DataFrame(results.mechanism.fresh_discriminator)
    if len(steps):
        own = {name: colours[name] for name in dict.fromkeys(steps["loss"])}
        yield _plan("fresh", ["mechanism.json"], mechanism.fresh, steps, own)
    if any(run.adam.printed for run in memory.runs):
        yield _plan("updates", ["memory.json"], mechanism.updates, memory, colours)
    if memory.from_start.ended or memory.after_switch.ended:
        yield _plan("recovery", ["memory.json"], mechanism.recovery, memory)
    if any(each.cosine is not None for each in memory.directions):
        yield _plan("cosines", ["memory.json"], mechanism.cosines, memory, colours)


def _of_training(results: Results) -> Iterator[Plan]:
    data_sets, colours = results.study.data_sets, colours_of(results)
    quantiles = [name for name in results.history.columns if name.startswith("fake_logit_q")]
    metrics = results.metrics
    last = metrics[metrics["epoch"] == metrics.groupby("variant")["epoch"].transform("max")]
    for data in data_sets:
        names = results.compared_on(data)
        compared = {name: colours[name] for name in results.drawn(names)}
        followed = {name: colours[name] for name in results.followed if name in names}
        if not followed:
            continue
        snapshots = results.snapshots[results.snapshots["variant"].isin(list(compared))]
        history = results.history[results.history["variant"].isin(list(followed))]
        shares, place = results.floor[data]["digit_shares"], suffix(data, data_sets)
        curves = _tables("history", list(followed))
        yield _plan(f"learning{place}", _tables("snapshots", list(compared)), training.learning, snapshots, compared)
        yield _plan(f"probabilities{place}", curves, training.probabilities, history, followed)
        yield _plan(f"gradients{place}", curves, training.gradients, history, followed)
        yield _plan(f"saturation{place}", curves, training.saturation, history, followed)
        yield _plan(f"losses{place}", curves, training.losses, history, followed)
        yield _plan(f"logits{place}", curves, training.logits, history, quantiles, followed)
        scored = _tables("metrics", list(followed))
        yield _plan(f"digits{place}", scored, training.digits, last, shares, followed)


def _of_scores(results: Results) -> Iterator[Plan]:
    comparison, metrics, colours = results.comparison, results.metrics, colours_of(results)
    for standing in comparison.standings:
        ranking = results.drawn(standing.ranking)
        summary = pd.DataFrame([standing.variants[name] for name in ranking]).assign(variant=ranking)
        scored = metrics[(metrics["epoch"] == standing.epochs) & (metrics["data"] == standing.data)]
        name = f"seeds{suffix(standing.data, results.study.data_sets)}-{standing.epochs}"
        floor = results.floor[standing.data]["fid"]
        yield _plan(name, _tables("metrics", ranking), scores.seeds, scored, summary, floor, colours)
    pairs = [each for each in comparison.contrasts if not {each.variant, each.against} & results.omitted]
    if pairs:
        yield _plan("ratios", ["comparison.json"], scores.ratios, ratio_rows(pairs), comparison.margin, colours)


def _of_losses(results: Results) -> Iterator[Plan]:
    # One colour for all of them, because grey stands for real images.
    colour = colouring.of("non_saturating")
    for name in AUDITS:
        curves = audit_rows(results.audit, name.removeprefix("audit-"))
        yield _plan(name, ["audit.json"], losses.audit, curves, dict.fromkeys(results.plain_losses, colour))


def ratio_rows(contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """The contrasts as `ratios` draws them; a contrast that nobody declared is labelled without an id."""
    rows = []
    for contrast in contrasts:
        pair, shown = f"{contrast.variant} / {contrast.against}", measured(contrast)
        rows.append(
            {
                "label": pair if contrast.family == "exploratory" else f"{contrast.id}  {pair}",
                "variant": contrast.variant,
                "ratio": shown.ratio,
                "low": shown.low,
                "high": shown.high,
                "family": contrast.family,
                "verdict": contrast.verdict,
                "scored": shown is not contrast,
            }
        )
    return pd.DataFrame(rows)


def audit_rows(record: Mapping[str, Any], player: str) -> pd.DataFrame:
    """A player's gradients as `audit` draws them: a row per loss, line and logit."""
    lines = pd.DataFrame([curve for curve in record["curves"] if curve["player"] == player])
    lines = lines.assign(logit=[record["logits"]] * len(lines)).explode("losses")
    return lines.explode(["logit", "gradient"])
