"""What the tests of the report share: a small study, every file that its stages would leave, and readers of pages."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from conftest import TESTS
from PIL import Image
from reporting.planted import RECORDS
from ruamel.yaml import YAML

from gan.audit import record as audit
from gan.compute.executors import InProcessExecutor
from gan.files import write_json
from gan.records.claims import ClaimEntry, Identity
from gan.records.comparison import Comparison
from gan.records.mechanism import (
    Cost,
    FreshSummary,
    FrozenDiscriminator,
    GradientFlow,
    Mechanism,
    PerfectGenerator,
    Step,
    StepCost,
    Twin,
    Twins,
    UpdateRatio,
)
from gan.records.simulation import Simulation
from gan.reporting import document
from gan.reporting.figures import draw, drawing
from gan.reporting.figures.draw import Drawn, plans
from gan.reporting.results import Results
from gan.stats import comparison, simulation
from gan.study.schema import Study

PARAMS = YAML(typ="safe", pure=True).load(TESTS / "params.yaml")
LEVELS = {"minimax": 9.0, "non_saturating": 6.0, "cewl": 6.1}
# A control's double, two that end earlier, and one that takes no part in comparisons.
OTHERS = {
    "twin": {"objective": "non_saturating_logits"},
    "r3": {"objective": "relativistic", "epochs": 2},
    "short": {"objective": "relativistic", "epochs": 1},
    "same_data": {"pinned": {"order": 0, "latents": 0}},
    "clothes": {"data": "fashion_mnist"},
    "clothes_minimax": {"data": "fashion_mnist", "objective": "minimax"},
}
STUDIED = (*LEVELS, "twin", "r3", "same_data")
HYPOTHESES = (
    ("H1", "superiority", "non_saturating", "minimax"),
    ("H2", "superiority", "cewl", "minimax"),
    ("H3", "equivalence", "cewl", "non_saturating"),
)
CONTROLS = (("A1", "equivalence", "twin", "non_saturating"),)
PREREGISTRATION = "d0" * 32
FAILURES = {
    ("minimax", 3): (3, "generator loss | not <b>finite</b>\nat all"),
    ("minimax", 5): (1, "weights not finite"),
}
IDENTITIES = [
    Identity("V6", "V6.ratio", "The ratio is exp(l).", "relative error", 3e-11, 1e-8, True),
    Identity("V6", "V6.equal", "The gradients are equal.", "relative error", 1.0, 1e-8, False),
    Identity("T1", "T1.direction", "Both move logits alike.", "share of logits", 1.0, 0.0, False),
]
CLAIMS = {
    "V2": ClaimEntry(
        kind="mechanism", text="Minimax <b>saturates</b>.", rule="Supported if the norm | falls.",
        figure="fresh", numbers={"fall": 0.01}, verdict="supported", reason="It falls to 1 % & less.",
    ),
    "Q10": ClaimEntry(
        kind="identity", text="The second term conflicts.", rule="Supported if so.",
        numbers={}, verdict="undecided", reason="Not tested: this study has no identity Q10.sum.",
    ),
    "Q9": ClaimEntry(
        kind="outcome", text="CEWL gives better results.", rule="The contrast decides.", figure="ratios",
        numbers={"ratio": 0.7}, verdict="refuted", reason="It is worse.",
        shared_fact="minimax",
    ),
    "T4": ClaimEntry(
        kind="outcome", text="The recipe works.", rule="Supported if it does.", figure="samples",
        numbers={}, verdict="supported", reason="8 of 8 runs work.", shared_fact="minimax",
    ),
}  # fmt: skip


def make_study(variants=tuple(LEVELS), seeds=8, epochs=3, hypotheses=HYPOTHESES, controls=(), data="mnist") -> Study:
    """A study of these variants, with those of the hypotheses and controls that it has the variants of."""
    reference = "non_saturating" if "non_saturating" in variants else next(iter(variants))

    recipe = OTHERS.get(reference, {"objective": reference if reference in LEVELS else "non_saturating"})
    objective = recipe.get("objective", "non_saturating")

    def declared(pairs) -> list[dict]:
        return [
            {"id": name, "kind": kind, "variant": first, "against": second, "text": f"The text of {name}."}
            for name, kind, first, second in pairs
            if {first, second} <= set(variants)
        ]

    return Study.model_validate({
        **PARAMS,
        "baseline": {
            **PARAMS["baseline"], "data": data, "seeds": list(range(seeds)), "epochs": epochs,
            "snapshots": [1, 2, 5, 10],
        },
        "variants": {
            name: {"objective": name} if name in LEVELS else OTHERS.get(name, {"real_label": 0.9}) for name in variants
        },
        "evaluate": {**PARAMS["evaluate"], "scores": {2: [1, 2], 3: [2, 3]}},
        "compare": {
            **PARAMS["compare"], "reference": reference, "hypotheses": declared(hypotheses),
            "controls": declared(controls),
        },
        "search": {**PARAMS["search"], "objectives": ["wasserstein", objective], "against": "wasserstein"},
        "simulate": {**PARAMS["simulate"], "studies": 4},
        "mechanism": {**PARAMS["mechanism"], "variant": reference, "epochs": [1], "seeds": [0], "steps": 20},
    })  # fmt: skip


def write_inputs(root: Path, study: Study, failures=(), levels=LEVELS, collapsed=(), late=()) -> None:
    """Synthetic files of a study.

    `failures` maps (variant, seed) to (epoch, cause) of a run that diverges, `collapsed` has those in mode collapse and
    `late` the variants that were trained under another preregistration.
    """
    failures = dict(failures)
    tables = []
    for place, (name, variant) in enumerate(study.variants.items()):
        random = np.random.default_rng(place)
        history, snapshots, metrics, records = [], [], [], []
        for seed in variant.seeds:
            failure = failures.get((name, seed))
            last = failure[0] - 1 if failure else variant.epochs
            # Part of a run's luck is its seed's, whatever the variant: pairing takes it out.
            luck = np.exp(np.random.default_rng(1000 + seed).normal(0, 0.05) + random.normal(0, 0.02))
            fid = levels.get(name, 8.0) * luck
            run = {"variant": name, "data": variant.data, "seed": seed, "key": f"{seed:032x}"}
            history += [{"seed": seed, "epoch": epoch, **losses(random)} for epoch in range(1, last + 1)]
            fids = {epoch: fid * (variant.epochs / epoch) ** 0.9 for epoch in variant.checkpoints}
            snapshots += [
                {"variant": name, "seed": seed, "epoch": epoch, "fid": fid}
                for epoch, fid in fids.items()
                if epoch <= last
            ]
            for epoch in study.evaluate.scored(variant):
                scores = scores_at(fids[epoch], 1 if (name, seed) in collapsed else 10, random)
                row = {"status": "finished", **scores}
                if epoch > last:
                    row = {
                        "status": "failed",
                        **dict.fromkeys(scores),
                        "failed_epoch": failure[0],
                        "failure": failure[1],
                    }
                metrics.append({
                    **run, "epoch": epoch, "averaged": " ".join(map(str, study.evaluate.scored(variant)[epoch])),
                    "failed_epoch": None, "failure": None, **row,
                })  # fmt: skip
            records.append({
                **run, "status": "failed" if failure else "finished", "seconds": 23.4,
                "failure": {"epoch": failure[0], "cause": failure[1]} if failure else None,
                "preregistration": "0d" * 32 if name in late else PREREGISTRATION,
            })  # fmt: skip
        tables.append(pd.DataFrame(metrics))
        put(root / f"reports/history/{name}.csv", pd.DataFrame(history or {"seed": [], "epoch": []}))
        put(
            root / f"reports/snapshots/{name}.csv", pd.DataFrame(snapshots, columns=["variant", "seed", "epoch", "fid"])
        )
        put(root / f"reports/metrics/{name}.csv", tables[-1])
        put(root / f"reports/training/{name}.json", {
            "variant": name, "parameters": variant.model_dump(mode="json"),
            "checksums": {"code": "ab" * 32, "data": "cd" * 32},
            "hardware": {"device": "cpu", "name": "Synthetic CPU", "cores": 2, "workers": 2, "arithmetic": "float32"},
            "versions": {"python": "3.11.9", "torch": "2.15.0"}, "seconds": 241.7, "runs": records,
        })  # fmt: skip
        (root / "reports/samples").mkdir(exist_ok=True)
        pixels = random.integers(0, 255, (4 * 30 + 2, 16 * 30 + 2)).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"reports/samples/{name}.png")
    put(root / "reports/comparison.json", compared(study, pd.concat(tables)))
    for name, record in RECORDS.items():
        put(root / f"reports/{name}.json", record())
    put(root / "reports/claims.json", CLAIMS)
    put(root / "reports/identities.json", IDENTITIES)
    put(root / "reports/audit.json", audited())
    put(root / "reports/simulation.json", simulated())
    put(root / "reports/mechanism.json", Mechanism(
        [
            Step(epoch, loss, seed, step, 0.5 / step if loss == "minimax" else 1.0, 0.5 / step, 1 / step, 0.9)
            for loss in ("minimax", "non_saturating") for epoch in (1, 3) for seed in (0, 1) for step in (1, 10, 100)
        ],
        [FreshSummary(epoch, "minimax", 0, 100, 0.1, 0.99, 2) for epoch in (1, 3)],
        [PerfectGenerator(0, 0.5)], GradientFlow(True, True, False, False, True),
        FrozenDiscriminator(
            True, StepCost(Cost(3000, 3000), Cost(4.0, 4.2)), StepCost(Cost(1000, 2000), Cost(1.0, 1.2))
        ),
        Twins(0, 20, [Twin("eps halved", "matching", True, 0.0)], [UpdateRatio("matching", 0.5, 0.5)]),
    ))  # fmt: skip
    put(root / "reports/floor.json", {data: {
        **scores_at(0.31, 10, np.random.default_rng(0)), "kid": -0.00001, "images": 10000,
        "controls": {
            "mean_image": scores_at(110.0, 1, np.random.default_rng(0)) | {"precision": 1.0},
            "noise": scores_at(99.0, 3, np.random.default_rng(0)) | {"precision": 0.85},
        },
        "digit_shares": [0.098, 0.1135, 0.1032, 0.101, 0.0982, 0.0892, 0.0958, 0.1028, 0.0974, 0.1009],
    } for data in study.data_sets})  # fmt: skip
    median = {"median": 6.125, "low": 5.875, "high": 6.25}
    put(root / "reports/benchmark.json", {"Synthetic CPU, 2 cores": {
        "hardware": {"device": "cpu", "name": "Synthetic CPU", "cores": 2},
        **{name: {"seconds_per_run_epoch": median, "peak_mib": 512.0} for name in ("tutorial", "engine", "floor")},
        "ratio_to_tutorial": median, "ratio_to_floor": median, "mib_per_run": 12.25,
    }})  # fmt: skip
    for data in study.data_sets:
        put(root / f"models/{data}/classifiers.json", {
            "accuracy": {"0": 0.9917, "1": 0.9903}, "parameters": {"seeds": [0, 1], "epochs": 5},
            "data": {"name": data, "files": {"t10k-images-idx3-ubyte.gz": "9f" * 16}, "train": 60000, "test": 10000},
            "sha256": {"classifier-0.safetensors": "ef" * 32, "classifier-1.safetensors": "fe" * 32},
        })  # fmt: skip


def write_strips(root: Path, study: Study, columns: int = 3, interpolated=()) -> None:
    """Strips of all variants and interpolations of some; each image of a strip is as bright as its epoch."""
    for name, variant in study.variants.items():
        epochs = list(variant.checkpoints)
        rows = [np.full((28, 28 * columns), 20 * epoch, np.uint8) for epoch in epochs]
        path = root / f"reports/strips/{name}.png"
        put(path.with_suffix(".json"), {
            "variant": name, "seed": 0, "data": variant.data, "side": 28, "columns": columns, "epochs": epochs,
        })  # fmt: skip
        Image.fromarray(np.vstack(rows)).save(path)
    for name in interpolated:
        path = root / f"reports/interpolations/{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((4 * 28, 12 * 28), np.uint8)).save(path)


def losses(random: np.random.Generator) -> dict[str, float]:
    """What a run records at the end of an epoch."""
    names = ("discriminator_loss", "generator_loss", "real_probability", "fake_probability", "generator_gradient_norm")
    quantiles = ("q05", "q25", "q50", "q75", "q95")
    return {name: random.uniform(0.1, 0.9) for name in names} | {
        f"fake_logit_{name}": logit for name, logit in zip(quantiles, np.sort(random.normal(size=5)), strict=True)
    }


def scores_at(fid: float, digits: int, random: np.random.Generator) -> dict[str, float]:
    """All scores of a run with that FID."""
    return {
        "fid": fid, "kid": fid / 40, "precision": 0.9 - fid / 60, "recall": 0.7 - fid / 40, "density": 1 - fid / 50,
        "coverage": max(0.01, 0.9 - fid / 40), "digits": digits, "fid_last": 0.99 * fid, "fid_half": 1.01 * fid,
        "fid_classifier_1": 2 * fid,
        **{f"digit_{digit}": share for digit, share in enumerate(random.dirichlet(np.full(10, 60.0)))},
    }  # fmt: skip


def compared(study: Study, metrics: pd.DataFrame) -> Comparison:
    """What the stage `compare` makes, without what needs pinned variants or published ones."""
    metrics = metrics[metrics["variant"].isin(study.compared)]
    again = comparison.sensitivity(metrics, study.compare)
    return replace(comparison.compare(metrics, study.compare, PREREGISTRATION), sensitivity=again)


@cache
def audited() -> dict:
    return audit.audit(make_study(STUDIED))


@cache
def simulated() -> Simulation:
    return simulation.simulation_study(make_study([*LEVELS, "twin"], controls=CONTROLS), InProcessExecutor())


def compare(study: Study, levels=LEVELS, failed=(), collapsed=()) -> Comparison:
    """The comparison of a study whose variants have these FIDs, give or take the luck of the seed."""
    rows = [
        {"variant": name, "data": variant.data, "seed": seed, "epoch": epoch,
         "averaged": str(epoch), "coverage": 0.5, "status": "failed" if (name, seed) in failed else "finished",
         "fid": levels.get(name, 8.0) * (1 + 0.02 * ((seed * 7 + len(name)) % 5 - 2)),
         "digits": 1 if (name, seed) in collapsed else 10}
        for name, variant in study.variants.items() for seed in variant.seeds
        for epoch in study.evaluate.scored(variant)
    ]  # fmt: skip
    return comparison.compare(pd.DataFrame(rows), study.compare)


def put(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    else:
        write_json(path, content)


def change(path: Path, **values) -> dict:
    """Replace values of a JSON file; what it was before."""
    before = json.loads(path.read_text(encoding="utf-8"))
    put(path, before | values)
    return before


class Page(HTMLParser):
    """What an HTML document loads or links to, its tags and its text; a marked term parts no words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.pieces: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.pieces.append("" if tag in ("a", "abbr") else " ")
        self.targets += [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "poster", "action")
        ]

    def handle_endtag(self, tag):
        self.pieces.append("" if tag in ("a", "abbr") else " ")

    def handle_data(self, data):
        if self.tags[-1:] not in (["script"], ["style"]):
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.pieces))


def plain(text: str) -> str:
    """Without what keeps a number and its unit together."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def render(
    root: Path,
    study: Study,
    drawn: bool = False,
    pages: Sequence[drawing.Page] = (drawing.WIDE,),
) -> tuple[str, str]:
    """Write both documents; the HTML and the Markdown.

    The figures are empty unless they are to be drawn, and drawn for a wide page alone unless `pages` has both.
    """
    with mock.patch.object(draw, "PAGES", pages) if drawn else mock.patch.object(document, "draw", draw_nothing):
        path = document.write(study, root)
    assert path == root / "reports/report.html"
    return path.read_text(), path.with_suffix(".md").read_text()


def draw_nothing(results: Results, folder: Path) -> dict[str, Drawn]:
    """Every figure that there would be, empty."""
    empty = '<svg viewBox="0 0 72 72"></svg>'
    return {plan.name: plan.drawn(empty, empty) for plan in plans(results)}


def page_text(html: str) -> str:
    """The page as plain text."""
    return re.sub(r"\s+", " ", Page(html).text)


def table_rows(html: str, label: str) -> list[list[str]]:
    """The cells of each row, heads included, of the tables of the page that this heading labels."""
    tables = re.findall(rf'aria-labelledby="{re.escape(label)}">(.*?)</table>', html, flags=re.DOTALL)
    tables = [re.sub(r"</?(a|abbr)\b[^>]*>", "", table) for table in tables]
    rows = [row for table in tables for row in re.findall(r"<tr[ >].*?</tr>", table, flags=re.DOTALL)]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]
    return [[plain(" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())) for cell in row] for row in cells]
