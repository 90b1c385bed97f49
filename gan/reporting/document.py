"""The report that people read: the study's files in, `report.html`, `report.md` and `figures/` out.

Both documents show one context and share captions and glossary, in `words.j2`. Numbers are those of the
files; what is added here are the words. Identical files give identical reports.
"""

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from gan import files, formatting
from gan.errors import StudyError
from gan.reporting import figures, sentences

if TYPE_CHECKING:
    from gan.study.schema import Study

MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
HISTORY = (
    "discriminator_loss",
    "generator_loss",
    "real_probability",
    "fake_probability",
    "generator_gradient_norm",
)
DRAWN_AT_MOST = 40  # variants; of more, nobody reads a panel each
SOURCES = {
    "V": "The text on the vanilla GAN's loss functions",
    "T": "The tutorial",
    "Q": "The questions and answers on binary cross-entropy",
}


@dataclass(frozen=True)
class Results:
    """What the report is made from, of the study's variants and no others, in their order.

    `metrics` has a row per run and scored epoch, with a column `collapsed`; `snapshots` and `history` have one per run
    and epoch, with a column `failed` that tells a diverged run's rows.
    """

    comparison: dict[str, Any]
    claims: dict[str, dict[str, Any]]
    identities: list[dict[str, Any]]
    audit: dict[str, Any]
    mechanism: dict[str, Any]
    simulation: dict[str, Any]
    floor: dict[str, Any]
    classifiers: dict[str, Any]
    training: dict[str, dict[str, Any]]
    benchmark: dict[str, dict[str, Any]]
    metrics: pd.DataFrame
    snapshots: pd.DataFrame
    history: pd.DataFrame

    @classmethod
    def read(cls, study: "Study", root: Path) -> "Results":
        """Read `reports/` and `models/` below `root`.

        Raises:
            StudyError: a file is missing, or the comparison was made for other variants.
        """
        reports = root / "reports"
        for name in study.variants:
            _existing(reports / "samples" / f"{name}.png")

        def table(folder: str) -> pd.DataFrame:
            paths = {name: _existing(reports / folder / f"{name}.csv") for name in study.variants}
            tables = [pd.read_csv(path).assign(variant=name) for name, path in paths.items()]
            return pd.concat([each for each in tables if len(each)] or tables)  # empty ones have no types

        comparison = _json(reports / "comparison.json")
        compared = [of["variant"] for of in last_standing(comparison)]
        if set(compared) != set(study.compared):
            raise StudyError(
                f"{reports / 'comparison.json'} compares {', '.join(compared)}, but the study's variants are "
                f"{', '.join(study.compared)}: run `dvc repro` to compare these"
            )
        metrics, history = table("metrics"), table("history")
        collapsed = (metrics["digits"] <= comparison["collapse"]) & (comparison["collapse"] > 0)
        diverged = metrics["status"].eq("failed").groupby([metrics["variant"], metrics["seed"]]).any()
        failed = diverged.rename("failed").reset_index()
        if history.empty:  # then it doesn't know its columns either
            history = history.reindex(columns=[*history.columns, *HISTORY])
        return cls(
            comparison=comparison,
            **{name: _json(reports / f"{name}.json") for name in ("claims", "audit", "mechanism", "simulation")},
            identities=_json(reports / "identities.json"),
            floor=_json(reports / "floor.json"),
            classifiers=_json(root / "models" / "classifiers.json"),
            training={name: _json(reports / "training" / f"{name}.json") for name in study.variants},
            benchmark=_json(reports / "benchmark.json"),
            metrics=metrics.assign(collapsed=collapsed),
            snapshots=table("snapshots").merge(failed, how="left"),
            history=history.merge(failed, how="left"),
        )


def write(study: "Study", root: Path) -> Path:
    """Write `reports/report.html`, `report.md` and `figures/` below `root`; return the path of the first.

    Raises:
        StudyError: an input is missing, or the comparison was made for other variants than the study's.
    """
    reports = root / "reports"
    results = Results.read(study, root)
    colours = figures.palette(list(study.variants))
    drawn = draw(study, results, colours, reports / "figures")
    content = context(study, results) | {"colours": colours, "drawn": drawn}

    html = _environment(autoescape=True, embed=lambda path: embed(reports / path))
    markdown = _environment(finalize=escape_markdown)
    for name, environment in (("report.html", html), ("report.md", markdown)):
        files.write(reports / name, environment.get_template(f"{name}.j2").render(content))
    return reports / "report.html"


def draw(study: "Study", results: Results, colours: Mapping[str, str], folder: Path) -> list[str]:
    """Save every figure into `folder`, which holds nothing else afterwards; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for outdated in folder.glob("*.svg"):
        outdated.unlink()
    comparison, metrics, floor = results.comparison, results.metrics, results.floor
    omitted = undrawn(study, comparison)
    compared, shown = (
        {name: colours[name] for name in of if name not in omitted} for of in (study.compared, followed(study))
    )
    history = results.history[results.history["variant"].isin(list(shown))]
    quantiles = [name for name in history.columns if name.startswith("fake_logit_q")]
    last = metrics[metrics["epoch"] == metrics.groupby("variant")["epoch"].transform("max")]
    drawn = {
        "learning": figures.learning(results.snapshots[results.snapshots["variant"].isin(list(compared))], compared),
        "probabilities": figures.probabilities(history, shown),
        "gradients": figures.gradients(history, shown),
        "saturation": figures.saturation(history, shown),
        "losses": figures.losses(history, shown),
        "logits": figures.logits(history, quantiles, shown),
        "digits": figures.digits(last, floor["digit_shares"], shown),
    }
    for standing in comparison["standings"]:
        ranking = [name for name in standing["ranking"] if name not in omitted]
        summary = pd.DataFrame([{"variant": name, **standing["variants"][name]} for name in ranking])
        scored = metrics[metrics["epoch"] == standing["epochs"]]
        drawn[f"seeds-{standing['epochs']}"] = figures.seeds(scored, summary, floor["fid"], colours)
    if contrasts := [each for each in comparison["contrasts"] if not {each["variant"], each["against"]} & omitted]:
        drawn["ratios"] = figures.ratios(forest(contrasts), comparison["margin"], colours)
    steps = pd.DataFrame(results.mechanism["fresh_discriminator"])
    if len(steps):
        drawn["fresh"] = figures.fresh(steps, {**figures.palette(list(steps["loss"].unique())), **colours})
    # One colour for all, for grey is the real images'.
    panels = dict.fromkeys(plain_losses(results.audit), figures.palette(["loss"])["loss"])
    for player in ("generator", "discriminator"):
        drawn[f"audit-{player}"] = figures.audit(curves(results.audit, player), panels)
    for name, figure in drawn.items():
        figures.save(figure, folder / f"{name}.svg")
    return list(drawn)


def context(study: "Study", results: Results) -> dict[str, Any]:
    """All that the templates show, except for the figures."""
    comparison, training = results.comparison, results.training
    baseline = flatten(study.baseline.model_dump(mode="json"))
    environments, trained_on = places(training)
    late, omitted = late_runs(results), undrawn(study, comparison)
    return {
        "study": study,
        "comparison": comparison,
        "followed": [name for name in followed(study) if name not in omitted],
        "omitted": omitted,
        "confidence": formatting.percent(1 - comparison["alpha"]),
        "verdict": sentences.verdict(comparison, results.claims, late),
        "claims": sourced(results.claims),
        "families": families(comparison),
        "measured": sentences.measured,
        "identities": results.identities,
        "audit": results.audit,
        "audited": audited(results.audit, omitted),
        "simulation": results.simulation,
        "trials": trials(study, results.simulation),
        "sensitivity": sensitivity(results),
        "sizes": sizes(results),
        "spread": comparison["spread"],
        "order": order(comparison["literature"]),
        "floor": results.floor,
        "failing": [of for of in last_standing(comparison) if of["failed"]],
        "diverged": results.metrics[results.metrics["status"] == "failed"]
        .drop_duplicates(["variant", "seed"])
        .to_dict("records"),
        "late": formatting.joined([f"{count} of {name}" for name, count in late.items()]),
        "runs": sum(len(record["runs"]) for record in training.values()),
        "baseline": baseline,
        "training": training,
        "environments": environments,
        "trained_on": trained_on,
        "benchmark": results.benchmark,
        "differences": {
            name: {key: value for key, value in flatten(record["parameters"]).items() if baseline.get(key) != value}
            for name, record in training.items()
        },
        "classifiers": results.classifiers,
        "weights": [
            (*judged, *kept)
            for judged, kept in zip(
                results.classifiers["accuracy"].items(), results.classifiers["sha256"].items(), strict=True
            )
        ],
    }


def last_standing(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All variants that are compared, each as it stands after its last epoch."""
    found: dict[str, dict[str, Any]] = {}
    for standing in comparison["standings"]:
        for name in standing["ranking"]:
            found.setdefault(name, {"variant": name, "epochs": standing["epochs"], **standing["variants"][name]})
    return list(found.values())


def followed(study: "Study") -> list[str]:
    """The variants whose training is drawn: those of hypotheses and controls; without any, all that are compared."""
    return [name for name in study.compared if name in study.compare.named] or list(study.compared)


def undrawn(study: "Study", comparison: Mapping[str, Any]) -> set[str]:
    """The variants that tables alone show, where there are very many: those neither named in `compare` nor leading."""
    ranked = [of["variant"] for of in last_standing(comparison)]
    order = dict.fromkeys([*study.compare.named, study.compare.reference, *ranked, *study.variants])
    drawn = [name for name in order if name in study.variants][:DRAWN_AT_MOST]
    return set(study.variants).difference(drawn, study.compare.named)


def late_runs(results: Results) -> dict[str, int]:
    """How many of each variant's runs were trained when something else was declared than what they are judged by."""
    declared = results.comparison["preregistration"]
    counts = {
        name: sum(run["preregistration"] != declared for run in record["runs"])
        for name, record in results.training.items()
    }
    return {name: count for name, count in counts.items() if count and declared}


def sourced(claims: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    """The claims by source, each source's by number."""
    ids = sorted(claims, key=lambda name: int(name[1:]))
    letters = dict.fromkeys([*SOURCES, *(name[0] for name in ids)])
    found = [
        (SOURCES.get(letter, letter), [(name, claims[name]) for name in ids if name[0] == letter]) for letter in letters
    ]
    return [(source, entries) for source, entries in found if entries]


def families(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contrasts by family, with what to call it."""
    titles = {
        "declared": "Declared hypotheses",
        "control": "Controls: the same mathematics in two forms",
        "exploratory": "Exploratory: nobody declared these beforehand",
    }
    grouped = {name: [each for each in comparison["contrasts"] if each["family"] == name] for name in titles}
    return [{"name": name, "title": titles[name], "contrasts": of} for name, of in grouped.items() if of]


def forest(contrasts: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The contrasts as `figures.ratios` draws them."""
    rows = []
    for contrast in contrasts:
        found = sentences.measured(contrast)
        bounds = {name: found[name] for name in ("ratio", "low", "high")}
        rows.append(
            {**contrast, **bounds, "label": sentences.contrast_label(contrast), "scored": found is not contrast}
        )
    return pd.DataFrame(rows)


def plain_losses(audit: Mapping[str, Any]) -> list[str]:
    """The adversarial losses of the study's variants as their sources write them: neither scaled nor relabelled."""
    objectives = {entry["objective"] for entry in audit["equations"]}
    names = dict.fromkeys(of["adversarial_losses"] for of in audit["variants"].values())
    return [name for name in names if name in objectives] or list(names)


def curves(audit: Mapping[str, Any], player: str) -> pd.DataFrame:
    """A player's gradients as `figures.audit` draws them: a row per loss, line and logit."""
    lines = pd.DataFrame([curve for curve in audit["curves"] if curve["player"] == player])
    lines = lines.assign(logit=[audit["logits"]] * len(lines)).explode("losses")
    return lines.explode(["logit", "gradient"])


def audited(audit: Mapping[str, Any], omitted: Collection[str] = ()) -> dict[str, Any]:
    """What tables and lists show of the audit, but for the variants that are `omitted`.

    `twins` are variants whose losses are the same in name, too; `related` has the pairs of other losses that are not
    simply different, each once.
    """
    plain, names = plain_losses(audit), [name for name in audit["variants"] if name not in omitted]
    departures: dict[str, list[str]] = {}
    for entry in audit["numerics"]:
        if own := [name for name in entry["losses"] if name in plain]:
            departures.setdefault(formatting.joined(own), []).append(entry["text"])
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(audit["variants"][name]["losses"], []).append(name)
    losses = {name: of["losses"] for name, of in audit["variants"].items()}
    kinds = {frozenset((pair["first"], pair["second"])): pair["kind"] for pair in audit["pairs"]}
    signs = {kind: of["sign"] for kind, of in audit["kinds"].items()}
    firsts = {of[0] for of in alike.values()}
    return {
        "departures": departures,
        "twins": [of for of in alike.values() if len(of) > 1],
        "related": [
            {**pair, "losses": (losses[pair["first"]], losses[pair["second"]])}
            for pair in audit["pairs"]
            if {pair["first"], pair["second"]} <= firsts
        ],
        "matrix": [
            (name, [signs[kinds.get(frozenset((name, other)), "different")] for other in names[:place]])
            for place, name in enumerate(names)
        ],
        "legend": [(kind["sign"], kind["words"].split(" from")[0]) for kind in audit["kinds"].values()],
    }


def trials(study: "Study", simulation: Mapping[str, Any]) -> dict[str, Any]:
    """The simulation study's scenarios by what a table can show of them, with its columns, and the bounds not kept."""
    scenarios = simulation["scenarios"]
    powers = {name for scenario in scenarios for name in scenario["power"]}
    return {
        "kinds": list(dict.fromkeys(kind for scenario in scenarios for kind in scenario["errors"])),
        "ids": [h.id for h in (*study.compare.hypotheses, *study.compare.controls) if h.id in powers],
        "judged": [scenario for scenario in scenarios if scenario["errors"]],
        "powered": [scenario for scenario in scenarios if scenario["power"]],
        "unjudged": [scenario for scenario in scenarios if not scenario["errors"] and not scenario["power"]],
        "broken": [
            f"{kind} in “{scenario['name']}” ({formatting.share(found['rate'], 1)})"
            for scenario in scenarios
            for kind, found in scenario["errors"].items()
            if not found["kept"]
        ],
    }


def sensitivity(results: Results) -> list[dict[str, Any]]:
    """The declared contrasts by each classifier, with its accuracy: first as they count, then as the others have it."""
    found, classifiers = results.comparison["sensitivity"], results.classifiers
    seeds = list(classifiers["accuracy"])
    own = {each["id"]: each for each in results.comparison["contrasts"] if each["family"] == "declared"}
    by_classifier = {seeds[0]: [{**each, "agree": None} for each in own.values()]}
    by_classifier |= {seeds[int(column.rsplit("_", 1)[1])]: rows for column, rows in found.items()}
    return [
        {**row, "classifier": seed, "accuracy": classifiers["accuracy"][seed]}
        for name in own
        for seed, rows in by_classifier.items()
        for row in rows
        if row["id"] == name and found
    ]


def sizes(results: Results) -> list[dict[str, Any]]:
    """FID by all images and by half as many, of the floor and, as geometric means over runs, of the first standing."""
    standing = results.comparison["standings"][0]
    last = results.metrics[(results.metrics["epoch"] == standing["epochs"]) & (results.metrics["status"] == "finished")]
    means = np.exp(np.log(last[["fid_last", "fid_half"]].astype(float)).groupby(last["variant"]).mean())
    rows = {name: means.loc[name].to_dict() for name in standing["ranking"] if name in means.index}
    floor = {"fid_last": results.floor["fid"], "fid_half": results.floor["fid_half"]}
    return [{"of": name, **of} for name, of in [("training images", floor), *rows.items()]]


def order(literature: Mapping[str, Any]) -> dict[str, Any]:
    """The published order beside this study's, place by place; empty where they share fewer than two variants."""
    if len(literature["published"]) < 2:
        return {}
    return {**literature, "rows": list(zip(literature["published"], literature["ours"], strict=True))}


def places(training: Mapping[str, Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The machines, versions and code that runs were trained with, and the number of each variant's."""
    found: list[dict[str, Any]] = []
    numbers = {}
    for name, record in training.items():
        place = {key: record[key] for key in ("hardware", "versions")} | {"code": record["checksums"]["code"]}
        if place not in found:
            found.append(place)
        numbers[name] = 1 + found.index(place)
    return found, numbers


def escape_markdown(value: object) -> str:
    """Text for any place in a Markdown document, table cells included: nothing in it is markup."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key: value`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def embed(path: Path) -> str:
    """An image file as a data URI."""
    content = base64.b64encode(_existing(path).read_bytes()).decode()
    return f"data:{MEDIA_TYPES[path.suffix]};base64,{content}"


def _environment(
    autoescape: bool = False, finalize: Callable[[object], object] | None = None, **names: Any
) -> Environment:
    environment = Environment(
        loader=PackageLoader("gan.reporting"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = ("fixed", "interval", "percent", "share", "span", "p_value", "duration", "joined")
    environment.filters |= {name: getattr(formatting, name) for name in shown} | {"misfit": sentences.misfit}
    environment.globals |= names
    return environment


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise StudyError(f"{path} is missing: run `dvc repro` to make it")
    return path


def _json(path: Path) -> Any:
    return files.read_json(_existing(path))
