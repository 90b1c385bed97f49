"""The report on a synthetic study: what it says follows from the files, and from nothing else."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import stages.report
from gan import formatting
from gan.audit import record as audit
from gan.errors import StudyError
from gan.reporting import document as report
from gan.reporting import sentences
from gan.stats import comparison, literature, simulation, variance
from gan.study.schema import Study

LEVELS = {"minimax": 9.0, "non_saturating": 6.0, "cewl": 6.1}
# Two variants more, which end earlier: a control's double and an exploration; one that takes no part in comparisons.
OTHERS = {
    "twin": {"objective": "non_saturating_logits"},
    "r3": {"objective": "relativistic", "epochs": 2},
    "same_data": {"pinned": {"order": 0, "latents": 0}},
}
HYPOTHESES = (
    ("H1", "superiority", "non_saturating", "minimax"),
    ("H2", "superiority", "cewl", "minimax"),
    ("H3", "equivalence", "cewl", "non_saturating"),
)
CONTROLS = (("A1", "equivalence", "twin", "non_saturating"),)
DECLARED = "d0" * 32
IDENTITIES = [
    {"id": "V6", "key": "V6.ratio", "statement": "The ratio is exp(l).", "measure": "relative error", "error": 3e-11,
     "tolerance": 1e-8, "holds": True},
    {"id": "V6", "key": "V6.equal", "statement": "The gradients are equal.", "measure": "relative error", "error": 1.0,
     "tolerance": 1e-8, "holds": False},
    {"id": "T1", "key": "T1.direction", "statement": "Both move logits alike.", "measure": "share of logits",
     "error": 1.0, "tolerance": 0.0, "holds": False},
]  # fmt: skip
CLAIMS = {
    "V2": {
        "kind": "identity and mechanism", "text": "Minimax <b>saturates</b>.", "rule": "Supported if the norm | falls.",
        "figure": "fresh", "numbers": {"fall": 0.01}, "verdict": "supported", "reason": "It falls to 1 % & less.",
    },
    "Q10": {
        "kind": "identity", "text": "The second term conflicts.", "rule": "Supported if so.",
        "numbers": {}, "verdict": "undecided", "reason": "Not tested: this study has no identity Q10.sum.",
    },
    "Q9": {
        "kind": "outcome", "text": "CEWL gives better results.", "rule": "The contrast decides.", "figure": "ratios",
        "numbers": {"ratio": 0.7}, "verdict": "refuted", "reason": "It is worse.",
    },
    "T4": {
        "kind": "outcome", "text": "The recipe works.", "rule": "Supported if it does.", "figure": "samples",
        "numbers": {}, "verdict": "supported", "reason": "8 of 8 runs work.",
    },
}  # fmt: skip


def make_study(variants=tuple(LEVELS), seeds=8, epochs=3, hypotheses=HYPOTHESES, controls=()) -> Study:
    named = "non_saturating" if "non_saturating" in variants else next(iter(variants))
    adam = {"name": "adam", "lr": 2e-4, "betas": [0.9, 0.999], "eps": 1e-8}

    def declared(pairs):
        return [
            {"id": name, "kind": kind, "variant": first, "against": second, "text": f"The text of {name}."}
            for name, kind, first, second in pairs
            if {first, second} <= set(variants)
        ]

    return Study.model_validate({
        "data": {"name": "mnist", "timeout_seconds": 30, "mirrors": {"mnist": ["../shared/mnist"]}},
        "classify": {"seeds": [0, 1], "epochs": 6, "batch_size": 128, "lr": 3e-3, "shift": 2},
        "train": {"quantiles": [0.05, 0.25, 0.5, 0.75, 0.95]},
        "baseline": {
            "objective": "non_saturating", "seeds": list(range(seeds)), "epochs": epochs, "snapshots": [1, 2, 5, 10],
            "batch_size": 64, "latent_dim": 100, "generator_hidden": [128, 256], "discriminator_hidden": [256, 128],
            "encoder_hidden": None, "leaky_slope": 0.2, "adversarial": 1.0, "terms": {}, "clip": None,
            "freeze_discriminator": True, "pinned": {}, "real_label": 1.0, "generator_optimizer": adam,
            "discriminator_optimizer": adam,
        },
        "variants": {
            name: {"objective": name} if name in LEVELS else OTHERS.get(name, {"real_label": 0.9}) for name in variants
        },
        "evaluate": {
            "epochs": [2], "average": 2, "images": 10000, "neighbours": 5, "digit_share": 0.01, "grid_seeds": 4,
            "grid_columns": 16,
        },
        "compare": {
            "metric": "fid", "alpha": 0.05, "margin": 1.1, "collapse": 2, "power": 0.8, "reference": named,
            "hypotheses": declared(hypotheses), "controls": declared(controls),
        },
        "simulate": {
            "studies": 4, "standard_deviation": 0.06,
            "effect": 2.5, "small_effect": 1.15, "freedom": 3, "collapses": 0.1,
            "bound": 0.06,
        },
        "mechanism": {"variant": named, "epochs": [1, 3], "seeds": [0, 1], "steps": 20},
        "compute": {"engine": "local", "device": "auto", "workers": "auto", "population": "auto", "gpu_share": 1.0,
                    "checkpoint_seconds": 60},
        "tracking": {"experiment": "gan-objectives", "timeout_seconds": 30},
    })  # fmt: skip


def write_inputs(root: Path, study: Study, failures=None, levels=LEVELS, collapsed=(), late=(), claims=CLAIMS) -> None:
    """Synthetic files of a study.

    `failures` maps (variant, seed) to (epoch, cause) of a run that diverges, `collapsed` has those that collapse and
    `late` the variants that were trained before the preregistration.
    """
    failures = failures or {}
    tables = []
    for place, (name, variant) in enumerate(study.variants.items()):
        generator = np.random.default_rng(place)
        runs = [
            synthetic_run(study, name, seed, levels.get(name, 8.0), failures.get((name, seed)), generator,
                          (name, seed) in collapsed, "0d" * 32 if name in late else DECLARED)
            for seed in variant.seeds
        ]  # fmt: skip
        history, snapshots, metrics, records = (list(part) for part in zip(*runs, strict=True))
        history = [row for rows in history for row in rows] or {"seed": [], "epoch": []}
        put(root / f"reports/history/{name}.csv", pd.DataFrame(history))
        rows = [row for rows in snapshots for row in rows]
        put(root / f"reports/snapshots/{name}.csv", pd.DataFrame(rows, columns=["variant", "seed", "epoch", "fid"]))
        tables.append(pd.DataFrame([row for rows in metrics for row in rows]))
        put(root / f"reports/metrics/{name}.csv", tables[-1])
        put(root / f"reports/training/{name}.json", {
            "variant": name, "parameters": variant.model_dump(mode="json"),
            "checksums": {"code": "ab" * 32, "data": "cd" * 32},
            "hardware": {"device": "cpu", "name": "Synthetic CPU", "cores": 2, "workers": 2, "arithmetic": "float32"},
            "versions": {"python": "3.11.9", "torch": "2.15.0"}, "seconds": 241.7, "runs": records,
        })  # fmt: skip
        pixels = generator.integers(0, 255, (4 * 28, 16 * 28)).astype(np.uint8)
        (root / "reports/samples").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / f"reports/samples/{name}.png")
    put(root / "reports/comparison.json", compared(study, pd.concat(tables)))
    put(root / "reports/claims.json", claims)
    put(root / "reports/identities.json", IDENTITIES)
    put(root / "reports/audit.json", audit_of((*LEVELS, *OTHERS)) if len(study.variants) > 1 else audit.audit(study))
    put(root / "reports/simulation.json", calibrated())
    put(root / "reports/mechanism.json", {"fresh_discriminator": [
        {"loss": loss, "seed": seed, "epoch": epoch, "step": step, "fake_probability": 0.5 / step,
         "gradient_norm": 0.5 / step if loss == "minimax" else 1.0, "discriminator_loss": 1 / step, "accuracy": 0.9}
        for loss in ("minimax", "non_saturating") for epoch in (1, 3) for seed in (0, 1) for step in (1, 10, 100)
    ]})  # fmt: skip
    put(root / "reports/floor.json", {
        "images": 10000, "fid": 0.31, "kid": -0.00001, "precision": 0.97, "recall": 0.96, "density": 1.01,
        "coverage": 0.97, "digits": 10, "fid_half": 0.47, "output_variance": 0.4, "mean_distance": 0.4,
        "median_distance": 0.5, "fid_classifier_1": 0.29,
        "digit_shares": [0.098, 0.1135, 0.1032, 0.101, 0.0982, 0.0892, 0.0958, 0.1028, 0.0974, 0.1009],
    })  # fmt: skip
    median = {"median": 6.125, "low": 5.875, "high": 6.25}
    put(root / "reports/benchmark.json", {"Synthetic CPU, 2 cores": {
        "hardware": {"device": "cpu", "name": "Synthetic CPU", "cores": 2},
        **{name: {"seconds_per_run_epoch": median, "peak_mib": 512.0} for name in ("tutorial", "engine", "floor")},
        "ratio_to_tutorial": median, "ratio_to_floor": median, "mib_per_run": 12.25,
    }})  # fmt: skip
    put(root / "models/classifiers.json", {
        "accuracy": {"0": 0.9917, "1": 0.9903}, "parameters": {"seeds": [0, 1], "epochs": 5},
        "data": {"name": "mnist", "files": {"t10k-images-idx3-ubyte.gz": "9f" * 16}, "train": 60000, "test": 10000},
        "sha256": {"classifier-0.safetensors": "ef" * 32, "classifier-1.safetensors": "fe" * 32},
    })  # fmt: skip


def compared(study: Study, metrics: pd.DataFrame) -> dict:
    """comparison.json as its stage makes it."""
    own, settings = metrics[metrics["variant"].isin(study.compared)], study.compare
    found = comparison.compare(own, settings, DECLARED)
    pinned = {name: variant.pinned for name, variant in study.variants.items() if variant.pinned}
    sources = variance.sources_of_variation(metrics, settings.reference, pinned, 0.95) if pinned else []
    return found | {
        "sensitivity": comparison.sensitivity(own, settings),
        "spread": [vars(source) for source in sources],
        "literature": literature.compare_with_published(found["standings"][-1]),
    }


@cache
def audit_of(names: tuple[str, ...]) -> dict:
    return audit.audit(make_study(names))


class Here:
    """A executor of this process alone."""

    device, workers = "cpu", 1

    def run(self, task, items, shared, on_progress):
        yield from (task(shared, item, on_progress) for item in items)


@cache
def calibrated() -> dict:
    return simulation.simulation_study(make_study([*LEVELS, "twin"], controls=CONTROLS), Here())


def synthetic_run(study, name, seed, level, failure, generator, collapses, declared):
    """History, snapshots, rows of metrics and training record of one run."""
    variant = study.variants[name]
    last = failure[0] - 1 if failure else variant.epochs
    minimax = name.startswith("minimax")
    history = []
    for epoch in range(1, last + 1):
        progress, noise = epoch / variant.epochs, generator.normal(0, 0.05, 3)
        fake = float(np.clip((0.02 if minimax else 0.12) + 0.22 * progress**1.5 + 0.02 * noise[0], 1e-3, 1))
        offsets = {"q05": -4.0, "q25": -1.6, "q50": 0.0, "q75": 1.4, "q95": 3.2}
        history.append({
            "seed": seed, "epoch": epoch,
            "discriminator_loss": (0.5 if name == "cewl" else 1) * (0.3 + 0.7 * progress + noise[1]),
            "generator_loss": float(np.log(1 - fake)) if minimax else 3.2 - 1.6 * progress + 2 * noise[2],
            "real_probability": 0.93 - 0.25 * progress, "fake_probability": fake,
            "generator_gradient_norm": float((fake if minimax else 1 - fake) * np.exp(3 * noise[1])),
            **{f"fake_logit_{quantile}": np.log(fake / (1 - fake)) + offset for quantile, offset in offsets.items()},
        })  # fmt: skip
    # Part of the luck is the seed's, whatever the variant: that is what pairing takes out.
    luck = np.random.default_rng(1000 + seed).normal(0, 0.05) + generator.normal(0, 0.02)
    fids = {epoch: level * float(np.exp(luck)) * (variant.epochs / epoch) ** 0.9 for epoch in variant.checkpoints}
    snapshots = [
        {"variant": name, "seed": seed, "epoch": epoch, "fid": fid} for epoch, fid in fids.items() if epoch <= last
    ]
    shares = generator.dirichlet(np.full(10, 60.0))
    metrics = []
    for epoch in study.evaluate.scored(variant):
        fid, finished = fids[epoch], epoch <= last
        scores = {"fid": fid, "kid": fid / 40, "precision": 0.9 - fid / 60, "recall": 0.7 - fid / 40,
                  "density": 1 - fid / 50, "coverage": 0.9 - fid / 40, "digits": 1 if collapses else 10,
                  **{f"digit_{digit}": share for digit, share in enumerate(shares)}, "fid_last": 0.99 * fid,
                  "fid_again": 0.98 * fid, "fid_half": 1.01 * fid, "fid_classifier_1": 2 * fid}  # fmt: skip
        epoch_failed, cause = (None, None) if finished else failure
        metrics.append({
            "variant": name, "seed": seed, "epoch": epoch, "status": "finished" if finished else "failed",
            **(scores if finished else dict.fromkeys(scores)), "failed_epoch": epoch_failed, "failure": cause,
            "key": f"{seed:032x}",
        })  # fmt: skip
    record = {"seed": seed, "key": f"{seed:032x}", "status": "failed" if failure else "finished", "seconds": 23.4,
              "failure": {"epoch": failure[0], "cause": failure[1]} if failure else None,
              "preregistration": declared}  # fmt: skip
    return history, snapshots, metrics, record


def put(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    else:
        path.write_text(json.dumps(content))


def compare(study: Study, levels=LEVELS, failed=(), collapsed=()) -> dict:
    """comparison.json of a study whose variants have these FIDs, give or take the luck of the seed."""
    rows = [
        {"variant": name, "seed": seed, "epoch": epoch, "status": "failed" if (name, seed) in failed else "finished",
         "fid": levels.get(name, 8.0) * (1 + 0.02 * ((seed * 7 + len(name)) % 5 - 2)),
         "digits": 1 if (name, seed) in collapsed else 10}
        for name, variant in study.variants.items() for seed in variant.seeds
        for epoch in study.evaluate.scored(variant)
    ]  # fmt: skip
    return comparison.compare(pd.DataFrame(rows), study.compare)


def verdict_of(*arguments, **named) -> list[str]:
    return sentences.verdict(compare(*arguments, **named), {}, {})


FAILURES = {
    ("minimax", 3): (3, "generator loss | not <b>finite</b>\nat all"),
    ("minimax", 5): (1, "weights not finite"),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A report with failures: its root, study, HTML and Markdown."""
    root, study = tmp_path_factory.mktemp("study"), make_study([*LEVELS, *OTHERS], controls=CONTROLS)
    write_inputs(root, study, FAILURES, LEVELS | {"twin": 6.0}, collapsed=[("r3", 1)])
    path = report.write(study, root)
    assert path == root / "reports/report.html"
    return root, study, path.read_text(), (root / "reports/report.md").read_text()


@pytest.fixture
def undrawn(monkeypatch):
    """Empty figures, for what is said does not depend on them."""

    def draw(study, results, colours, folder):
        names = "fresh ratios learning probabilities gradients saturation losses logits digits audit-generator"
        drawn = [*names.split(), "audit-discriminator"]
        drawn += [f"seeds-{standing['epochs']}" for standing in results.comparison["standings"]]
        folder.mkdir(exist_ok=True)
        for name in drawn:
            (folder / f"{name}.svg").write_text("<svg/>")
        return drawn

    monkeypatch.setattr(report, "draw", draw)


class Loaded(HTMLParser):
    """Collects what an HTML document loads or links to, its text, and its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.pieces: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.targets += [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "poster", "action")
        ]

    def handle_data(self, data):
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))


def test_identical_files_give_identical_reports(tmp_path, monkeypatch, capsys):
    study = make_study(["cewl"], seeds=2, epochs=2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.report.load_study", lambda: study)
    made = []
    for _ in range(2):
        write_inputs(Path(), study)
        stages.report.main()
        files = (path for path in Path().rglob("*") if path.suffix in (".html", ".md", ".svg"))
        made.append({path.name: path.read_bytes() for path in files})
    assert len(made[0]) == 2 + 11
    assert made[0] == made[1]
    assert capsys.readouterr().out == 2 * "Report: reports/report.html\n"


def test_the_html_is_one_file_that_asks_nobody(published):
    *_, html, _ = published
    page = Loaded(html)
    assert len([target for target in page.targets if target.startswith("data:image/")]) == 13 + 6
    anchors = {target for target in page.targets if not target.startswith("data:")}
    assert all(anchor.startswith("#") and f'id="{anchor[1:]}"' in html for anchor in anchors)
    assert {"#fresh", "#ratios", "#samples"} < anchors  # of claims
    assert len(re.findall(r' id="', html)) == len(set(re.findall(r' id="([^"]+)"', html)))
    assert not {"script", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|@import|url\(", html)


def test_the_markdown_refers_to_files_that_are_there(published):
    root, _, _, markdown = published
    targets = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", markdown)
    assert len(targets) == 13 + 6
    assert all((root / "reports" / target).is_file() for target in targets)
    assert "<" not in markdown


def test_every_table_of_the_markdown_is_whole(published):
    *_, markdown = published
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown, flags=re.MULTILINE)
    assert len(tables) == len(re.findall(r"^\|:?--", markdown, flags=re.MULTILINE)) > 20
    for table in tables:
        head, rule, *rows = table.splitlines()
        assert re.fullmatch(r"\|(:?-+:?\|)+", rule)
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in (head, rule, *rows)]
        assert rows
        if " 1 | 2 |" not in head:  # the matrix of pairs is a triangle
            assert set(cells) == {cells[0]}, table


def documents(html: str, markdown: str) -> list[tuple[str, bool]]:
    """Both as plain text, and whether it is the Markdown, in which some characters are escaped."""
    unescaped = re.sub(r"\\([\\`*\[\]|~_$])", r"\1", markdown).replace("&lt;", "<").replace("&amp;", "&")
    return [re.sub(r"\s+", " ", text) for text in (Loaded(html).text, unescaped)]


def test_both_documents_show_every_variant_contrast_and_hypothesis(published):
    root, study, html, markdown = published
    found = json.loads((root / "reports/comparison.json").read_text())
    assert {each["family"] for each in found["contrasts"]} == {"declared", "control", "exploratory"}
    for document in documents(html, markdown):
        for sentence in sentences.verdict(found, CLAIMS, {}):
            assert sentence.replace("\N{NO-BREAK SPACE}", " ") in document
        for variant in study.variants:
            assert variant in document
        for contrast in found["contrasts"]:
            for number in (contrast["ratio"], contrast["low"], contrast["high"]):
                assert f"{number:.3f}" in document
            assert formatting.fixed(contrast["hedges_g"], 2) in document
            assert f"{contrast['failures']['variant']} / {contrast['failures']['against']}" in document
            assert contrast["reason"] in document
        for standing in found["standings"]:
            for summary in standing["variants"].values():
                assert f"{summary['mean']:.2f}" in document
                assert f"{summary['low']:.2f} – {summary['high']:.2f}" in document
                share = f"{100 * summary['failure_low']:.0f} – {100 * summary['failure_high']:.0f} %"
                assert share in document
        for hypothesis in (*study.compare.hypotheses, *study.compare.controls):
            assert hypothesis.text in document
        for checksum in ("ef" * 32, "fe" * 32, "9f" * 16, DECLARED):
            assert checksum in document


def test_both_documents_show_every_claim_with_its_rule_in_order(published):
    *_, html, markdown = published
    for document in documents(html, markdown):
        for claim in CLAIMS.values():
            for part in ("text", "rule", "kind", "verdict", "reason"):
                assert claim[part] in document
        assert "reports/claims.json" in document
        places = [document.index(CLAIMS[name]["text"]) for name in ("V2", "T4", "Q9", "Q10")]
        assert places == sorted(places)
    for name, claim in CLAIMS.items():
        row = html[html.index(f"<th>{name}</th>") :].split("</tr>")[0]
        assert f'class="word {claim["verdict"]}"' in row
        assert re.search(rf"^\| {name} .* \*\*{claim['verdict']}\*\* \|", markdown, flags=re.MULTILINE)
    assert "Of the 4 claims of the sources, 2 are supported, 1 refuted and 1 undecided." in markdown


def test_each_standing_has_its_table_and_figure(published):
    root, *_, markdown = published
    first, second = (
        [row.split("|")[1].strip() for row in section.split("\n\n")[1].splitlines()[2:]]
        for section in (markdown.split("## Ranking")[1], markdown.split("### After 2 epochs")[1])
    )
    floor = "*floor: training images*"
    standings = json.loads((root / "reports/comparison.json").read_text())["standings"]
    ranking, other = (standing["ranking"] for standing in standings)
    assert first == [*ranking, floor]
    assert second == [*other, floor]
    assert set(other) == {*ranking, "r3"}
    assert {path.stem for path in (root / "reports/figures").glob("seeds-*")} == {"seeds-3", "seeds-2"}
    assert " 0.0 |" in next(row for row in markdown.splitlines() if floor in row)  # a KID of -0.00001


def test_what_the_readme_quotes_stands_where_it_looks(published):
    *_, markdown = published
    assert markdown.split("\n\n")[1].startswith("**")
    assert "Of the 4 claims" in markdown.split("\n\n")[1]
    assert markdown.split("## Ranking\n\n")[1].startswith("| variant | FID |")
    assert markdown.split("## Speed\n\n")[1].startswith("| hardware |")


def test_failed_runs_are_listed_with_their_cause(published):
    *_, html, markdown = published
    assert "| minimax | 3 | 3 | generator loss \\| not &lt;b>finite&lt;/b> at all |" in markdown
    assert markdown.count("| minimax | 5 | 1 | weights not finite |") == 1  # though it has a row per scored epoch
    assert "generator loss | not &lt;b&gt;finite&lt;/b&gt;" in html
    assert "| minimax | 3 | 8 | 0 | 2 | 25 % | 3 – 65 % |" in markdown
    assert "| r3 | 2 | 8 | 1 | 0 | 12 % | 0 – 53 % |" in markdown


def test_a_variant_that_always_collapses_is_labelled(tmp_path, undrawn):
    study = make_study()
    write_inputs(tmp_path, study, collapsed=[("minimax", seed) for seed in range(8)])
    html = report.write(study, tmp_path).read_text()
    markdown = (tmp_path / "reports/report.md").read_text()
    found = json.loads((tmp_path / "reports/comparison.json").read_text())
    minimax, contrast = found["standings"][0]["variants"]["minimax"], found["contrasts"][0]
    assert minimax["mean"] is None
    assert contrast["ratio"] is None
    scored, ratio = f"{minimax['scored_mean']:.2f}", f"{contrast['scored_ratio']['ratio']:.3f}"
    assert f"| minimax | – | – | 8 | 8 | 63 – 100 % | {scored} |" in markdown
    for document in documents(html, markdown):
        assert "all 8 of minimax (95 % interval of the share 63 – 100 %" in document
        assert f"mean FID {scored}, collapsed runs included)" in document
        assert "than with minimax (95 % interval" in document
        assert "collapsed runs included) and" in document or "collapsed runs included)." in document
        assert f"△ {ratio}" in document
    assert "△ 0" not in markdown.split("## Contrasts")[0]


def test_runs_from_before_the_declaration_are_told(tmp_path, undrawn):
    study = make_study()
    for late in ((), ("cewl", "minimax")):
        write_inputs(tmp_path, study, late=late)
        texts = documents(report.write(study, tmp_path).read_text(), (tmp_path / "reports/report.md").read_text())
        for document in texts:
            assert ("Declared after these runs: 8 of minimax and 8 of cewl." in document) == bool(late)
            assert ("hypotheses declared after 16 of their runs" in document) == bool(late)
            assert ("hypotheses declared beforehand" in document) == (not late)
            assert ("All 24 runs were trained under it." in document) == (not late)


def test_a_study_without_its_optional_parts_says_so(tmp_path, undrawn):
    study = make_study()
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/comparison.json"
    whole = json.loads(path.read_text())
    sections = ("Where does the spread over seeds come from?", "Is the order that of the published table?")
    put(path, whole | {"spread": [{"source": "everything", "variant": "cewl", "epoch": 3, "n": 8, "sd": 0.0456,
                                   "low": 0.03, "high": 0.09}]})  # fmt: skip
    for document in documents(report.write(study, tmp_path).read_text(), (tmp_path / "reports/report.md").read_text()):
        assert all(section in document for section in sections)
        assert "0.046" in document
        assert "Only one classifier" not in document
        assert "99.03 %" in document.split("Do other classifiers agree?")[1].split("How low can FID get")[0]
        assert "No control was run." in document
    put(path, whole | {"sensitivity": {}, "spread": [], "literature": {**whole["literature"], "published": ["wgan"]}})
    html = report.write(study, tmp_path).read_text()
    for document in documents(html, (tmp_path / "reports/report.md").read_text()):
        assert not any(section in document for section in sections)
        assert "Only one classifier has scored these runs." in document


def test_without_fresh_discriminators_nothing_points_to_their_figure(tmp_path):
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    put(tmp_path / "reports/mechanism.json", {"fresh_discriminator": []})
    html = report.write(study, tmp_path).read_text()
    assert not (tmp_path / "reports/figures/fresh.svg").exists()
    assert '"#fresh"' not in html
    assert 'id="fresh"' not in html
    assert "figures/fresh.svg" not in (tmp_path / "reports/report.md").read_text()


def test_the_audit_is_shown(published):
    root, *_, html, markdown = published
    record = json.loads((root / "reports/audit.json").read_text())
    for document in documents(html, markdown):
        for entry in record["equations"]:
            assert entry["generator"] in document
        for entry in IDENTITIES:
            assert entry["statement"] in document
        for entry in record["numerics"]:
            assert entry["text"] in document
        assert "= the same mathematics; ≈ same mathematics, different numerics; ∝" in document
        assert "The very same losses: non_saturating and same_data." in document
        related = {pair["verdict"] for pair in record["pairs"]}
        assert related
        assert all(verdict in document for verdict in related)
    matrix = markdown.split("### Which variants minimise the same?")[1].split("\n\n")[2].splitlines()
    assert len(matrix) == 2 + 6
    kinds = {(pair["first"], pair["second"]): audit.SIGNS[pair["kind"]] for pair in record["pairs"]}
    names = list(record["variants"])
    for place, row in enumerate(matrix[2:]):
        signs = [kinds.get((other, names[place]), "≠") for other in names[:place]]
        assert row == " | ".join([f"| {place + 1} {names[place]}", *signs]) + " |"


def test_a_loss_that_is_not_its_equation_stands_out(tmp_path, undrawn):
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/audit.json"
    record = json.loads(path.read_text())
    record["equations"][0] |= {"holds": False, "error": 2.0, "faults": ["minimax: it is that of cewl"]}
    put(path, record)
    html = report.write(study, tmp_path).read_text()
    assert '<span class="word refuted">no</span>: minimax: it is that of cewl' in html
    assert "**no**: minimax: it is that of cewl" in (tmp_path / "reports/report.md").read_text()


def test_the_simulation_study_says_where_its_bound_is_broken(tmp_path, undrawn):
    study = make_study()
    write_inputs(tmp_path, study)
    path, root = tmp_path / "reports/simulation.json", tmp_path
    record = json.loads(path.read_text())
    for scenario in record["scenarios"]:
        for error in scenario["errors"].values():
            error["kept"] = True
    for kept in (True, False):
        record["scenarios"][1]["errors"]["false superiority"] |= {"rate": 0.0725, "low": 0.061, "high": 0.0849,
                                                                  "kept": kept}  # fmt: skip
        put(path, record)
        texts = documents(report.write(study, root).read_text(), (root / "reports/report.md").read_text())
        for document in texts:
            assert ("The bound is kept everywhere." in document) == kept
            assert ("above the bound" in document) == (not kept)
            assert ("Not kept: false superiority in “margin” (7.2 %)." in document) == (not kept)
            assert "6.1 – 8.5 %" in document
            assert "No verdict is right or wrong there; the decision says" in document


def test_only_named_variants_are_followed_through_training(published, tmp_path, undrawn):
    *_, html, markdown = published
    told = "The figures from here on show the 4 variants that hypotheses and controls name"
    assert all(told in document for document in documents(html, markdown))
    study = make_study(["cewl", "softer"], seeds=2, epochs=2, hypotheses=())
    write_inputs(tmp_path, study)
    assert told not in report.write(study, tmp_path).read_text()
    assert report.followed(study) == ["cewl", "softer"]


def test_of_very_many_variants_tables_have_all_and_figures_those_that_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "DRAWN_AT_MOST", 5)
    names = [*LEVELS, *(f"softer-{number}" for number in range(6))]
    study = make_study(names, seeds=2, epochs=3)
    write_inputs(tmp_path, study, levels={**LEVELS, "softer-4": 1.0, "softer-1": 2.0})
    html = report.write(study, tmp_path).read_text()
    drawn = {*LEVELS, "softer-1", "softer-4"}
    for document in documents(html, (tmp_path / "reports/report.md").read_text()):
        assert "figures, samples and pairs of losses have 5" in document
        assert all(name in document for name in names)
    assert {name for name in names if f"Grid of generated images: {name}" in html} == drawn


def test_names_and_texts_are_text_and_never_markup(tmp_path):
    study, name = make_study(["cewl"], seeds=1, epochs=1), "<i>a|b_](x) $\\frac{"
    study = study.model_copy(update={"variants": {name: study.variants["cewl"]}})
    write_inputs(tmp_path, study, {(name, 0): (1, "<img src=http://x>")})
    html = report.write(study, tmp_path).read_text()
    assert "i" not in Loaded(html).tags
    assert "&lt;i&gt;a|b_](x) $" in html
    assert "http://x" not in Loaded(html).targets
    assert "&lt;b&gt;saturates" in html
    markdown = (tmp_path / "reports/report.md").read_text()
    assert "<i>" not in markdown
    assert r"&lt;i>a\|b\_\](x) \$" in markdown


MARKUP = " <img src=x onerror=y> [zz](zz) `zz` *zz* |zz $zz$ ~~zz~~"


def marked_up(value):
    """The same with markup at the end of every text of more than one word."""
    if isinstance(value, dict):
        return {name: marked_up(part) for name, part in value.items()}
    if isinstance(value, list):
        return [marked_up(part) for part in value]
    return value + MARKUP if isinstance(value, str) and " " in value else value


def test_no_record_brings_markup_in(tmp_path, undrawn):
    study = make_study([*LEVELS, *OTHERS], controls=CONTROLS)
    write_inputs(tmp_path, study, FAILURES, LEVELS | {"twin": 6.0})
    for path in tmp_path.rglob("*.json"):
        put(path, marked_up(json.loads(path.read_text())))
    study = Study.model_validate(marked_up(study.model_dump(mode="json")))
    page = Loaded(report.write(study, tmp_path).read_text())
    assert page.text.count(MARKUP) > 50
    assert all(target.startswith(("#", "data:")) for target in page.targets)
    markdown = (tmp_path / "reports/report.md").read_text()
    assert markdown.count("onerror") > 50
    assert "<" not in markdown
    for markup in ("[zz", "](zz", "`", "*zz", "zz*", "|zz", "$", "~~"):
        assert not re.search(rf"(?<!\\){re.escape(markup)}", markdown), markup


def test_a_removed_variant_leaves_the_report(tmp_path):
    write_inputs(tmp_path, make_study(["softer", "minimax"], seeds=1, epochs=1))
    study = make_study(["minimax"], seeds=1, epochs=1, hypotheses=())
    with pytest.raises(StudyError, match="compares softer, minimax, but the study's variants are minimax"):
        report.write(study, tmp_path)
    (tmp_path / "reports/figures").mkdir()
    (tmp_path / "reports/figures/ratios.svg").touch()
    write_inputs(tmp_path, study)
    html = report.write(study, tmp_path).read_text()
    assert (tmp_path / "reports/metrics/softer.csv").exists()
    assert "softer" not in html + (tmp_path / "reports/report.md").read_text()
    assert not (tmp_path / "reports/figures/ratios.svg").exists()
    assert "No two variants are compared here." in html
    assert "No two variants are compared here." in (tmp_path / "reports/report.md").read_text()


@pytest.mark.parametrize("failing", [["cewl"], ["cewl", "minimax"]])
def test_a_variant_of_which_every_run_failed_is_still_reported(tmp_path, failing):
    study = make_study(["cewl", "minimax"], seeds=1, epochs=1)
    write_inputs(tmp_path, study, {(name, 0): (1, "weights not finite") for name in failing})
    html = report.write(study, tmp_path).read_text()
    assert ("No run survived" in html) == (len(failing) == 2)
    assert html.count("weights not finite") == len(failing)


@pytest.mark.parametrize(
    "missing",
    [
        "reports/comparison.json", "reports/floor.json", "models/classifiers.json", "reports/history/cewl.csv",
        "reports/metrics/cewl.csv", "reports/snapshots/cewl.csv", "reports/training/cewl.json",
        "reports/samples/cewl.png", "reports/audit.json", "reports/simulation.json", "reports/claims.json",
        "reports/mechanism.json", "reports/benchmark.json",
    ],
)  # fmt: skip
def test_a_missing_file_is_named_in_one_line(tmp_path, missing):
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    (tmp_path / missing).unlink()
    with pytest.raises(StudyError) as caught:
        report.write(study, tmp_path)
    assert str(caught.value) == f"{tmp_path / missing} is missing: run `dvc repro` to make it"
    assert not (tmp_path / "reports/report.html").exists()


ALL_OF_MINIMAX = [("minimax", seed) for seed in range(8)]
ALL = [(name, seed) for name in LEVELS for seed in range(8)]
LEADERS = (
    (
        make_study(),
        {},
        (),
        "non_saturating ranks first: better than minimax and equivalent to cewl (within a factor of 1.1).",
    ),
    (make_study(), {"cewl": 7.5}, (), "non_saturating comes out best: better than cewl and minimax."),
    (make_study(), {"cewl": 4}, (), "cewl comes out best: better than non_saturating and minimax."),
    (make_study(["minimax", "cewl"]), {"minimax": 6.1}, (), "minimax ranks first, but is not told apart from cewl."),
    (make_study(["cewl"]), {}, (), "cewl is the only variant, so there is nothing to set it against."),
    (make_study(), {}, ALL, "No run survived, so no variant can be called better."),
    (
        *(make_study(seeds=3), {}, ()),
        "non_saturating ranks first, but is on too few seeds to be judged against cewl and minimax.",
    ),
    (
        *(make_study([*LEVELS, "softer"]), {"softer": 5}, ()),
        "softer ranks first: better than non_saturating (exploratory), but is not tested against cewl and minimax.",
    ),
    (
        *(make_study(), {}, ALL_OF_MINIMAX),
        "non_saturating ranks first: better than minimax and equivalent to cewl (within a factor of 1.1).",
    ),
    (
        *(make_study([*LEVELS, "a", "b", "c", "d"]), {"cewl": 4}, ()),
        "cewl ranks first: better than non_saturating and minimax, but is not tested against 4 others.",
    ),
)


@pytest.mark.parametrize(("study", "levels", "failed", "expected"), LEADERS)
@pytest.mark.parametrize("how", ["failed", "collapsed"])
def test_the_verdict_says_who_leads(study, levels, failed, expected, how):
    told = verdict_of(study, LEVELS | levels, **{how: failed})
    assert told[0] == expected
    assert 2 <= len(told) <= 6


def test_the_verdict_puts_no_more_into_words_than_the_contrasts_say():
    comparison = compare(make_study())
    first, _, third = comparison["contrasts"]
    first |= {"verdict": "refuted"}  # the declared winner is the worse one
    assert sentences.verdict(comparison, {}, {})[0].endswith("but is worse, seed by seed, than minimax.")
    first |= {"verdict": "undecided"}
    third |= {"verdict": "refuted", "ratio": 0.5}
    assert sentences.verdict(comparison, {}, {})[0] == (
        "non_saturating ranks first, but is worse, seed by seed, than cewl and not told apart from minimax."
    )
    third |= {"ratio": 2.0}
    assert sentences.verdict(comparison, {}, {})[0] == (
        "non_saturating ranks first: better than cewl, but is not told apart from minimax."
    )


def test_the_verdict_says_by_how_much():
    comparison = compare(make_study())
    first, _, third = comparison["contrasts"]
    first |= {"ratio": 0.804, "low": 0.75, "high": 0.86}
    third |= {"ratio": 1.25, "low": 0.98, "high": 1.6}  # the other way round: the leader stands second
    comparison["standings"][0]["variants"]["non_saturating"]["mean"] = 6.54321
    assert sentences.verdict(comparison, {}, {})[1].replace("\N{NO-BREAK SPACE}", " ") == (
        "Its FID averages 6.54 over 8 seeds, 20 % lower than with cewl (95 % interval 38 % lower to 2.0 % higher) "
        "and 20 % lower than with minimax (95 % interval 14 % to 25 % lower)."
    )
    third |= {"ratio": 0.8, "low": 0.5, "high": 0.9}
    assert "25\N{NO-BREAK SPACE}% higher than with cewl" in sentences.verdict(comparison, {}, {})[1]
    assert (
        "interval 11\N{NO-BREAK SPACE}% to 100\N{NO-BREAK SPACE}% higher)" in sentences.verdict(comparison, {}, {})[1]
    )
    third |= {"low": None, "high": None}
    first |= {"ratio": None, "low": None, "high": None, "scored_ratio": {"ratio": None, "low": None, "high": None}}
    assert sentences.verdict(comparison, {}, {})[1].endswith(
        "over 8 seeds, 25\N{NO-BREAK SPACE}% higher than with cewl."
    )


@pytest.mark.parametrize(
    ("study", "levels", "expected"),
    [
        (make_study(), {}, "H1, H2 and H3 are supported at a risk of 5"),
        (make_study(), {"cewl": 7.5}, "H1 and H2 are supported and H3 is refuted at a risk of 5"),
        (make_study(), {"minimax": 6.0}, "H3 is supported and H1 and H2 are undecided at a risk of 5"),
        (make_study(seeds=3), {}, "H1, H2 and H3 are insufficient data."),
        (make_study(["minimax", "cewl"]), {}, "H2 is supported and H1 and H3 are untested at a risk of 5"),
        (make_study(["cewl"]), {}, "H1, H2 and H3 are untested."),
        (make_study(hypotheses=()), {}, "No hypothesis was declared beforehand: every contrast is exploratory."),
    ],
)
def test_the_verdict_says_what_became_of_the_hypotheses(study, levels, expected):
    assert expected in verdict_of(study, LEVELS | levels)[3]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_verdict_counts_runs():
    assert verdict_of(make_study())[2] == "None of the 24 runs failed."
    assert verdict_of(make_study(["cewl"], seeds=1))[2] == "The one run finished."
    told = verdict_of(make_study(), failed=[("cewl", 1), ("minimax", 2), ("cewl", 4)])
    assert plain(told[2]) == (
        "3 of 24 runs failed: 2 of 8 of cewl (95 % interval of the share 3 – 65 %) and 1 of 8 of minimax (0 – 53 %); "
        "they count as worse than any that survived."
    )
    assert told[1].count("of the runs that survived)") == 2
    names = [*LEVELS, "a", "b"]
    told = verdict_of(make_study(names), failed=[(name, seed) for name in names for seed in (1, 2)])
    assert "and 4 of non_saturating and" not in told[2]
    assert re.search(r"\), 2 of 8 of \w+ \(.*?\) and 4 of \w+ and \w+;", told[2])


def test_the_verdict_counts_survivors_where_the_leader_has_failures():
    told = verdict_of(make_study(["cewl"]), failed=[("cewl", 1)])
    assert told[1].startswith("Its FID averages 6.")
    assert " over the 7 of 8 seeds that survived (95" in told[1]


def test_the_verdict_leaves_doubles_out_and_tells_how_controls_came_out():
    study = make_study([*LEVELS, "twin"], controls=CONTROLS)
    told = verdict_of(study, LEVELS | {"twin": 6.0})
    assert told[0].startswith("non_saturating ranks first")
    assert not any("twin" in sentence for sentence in told)
    assert told[2] == "None of the 24 runs failed."
    assert told[3].endswith("; of the controls, the same mathematics in two forms, A1 is equivalent.")
    told = verdict_of(study, LEVELS | {"twin": 5.5})  # a double that leads is no leader
    assert told[0].startswith("non_saturating ranks first")
    assert told[3].endswith("A1 is different.")
    told = verdict_of(make_study([*LEVELS, "twin"], hypotheses=(), controls=CONTROLS), LEVELS | {"twin": 6.0})
    assert told[3] == (
        "No hypothesis was declared beforehand; of the controls, the same mathematics in two forms, A1 is equivalent."
    )


def test_the_verdict_names_the_leader_at_other_ages():
    study = make_study([*LEVELS, "twin", "r3"], controls=CONTROLS)
    told = verdict_of(study, LEVELS | {"twin": 6.0, "r3": 2.0})
    assert told[-1] == "After 2 epochs r3 ranks first of 4 variants, the controls' doubles left out."
    told = verdict_of(study, LEVELS | {"twin": 6.0, "r3": 2.0}, collapsed=[("r3", seed) for seed in range(8)])
    assert told[-1].startswith("After 2 epochs non_saturating ranks first of 4")


def test_the_verdict_counts_claims():
    (told,) = (each for each in sentences.verdict(compare(make_study()), CLAIMS, {}) if "claims" in each)
    assert told == "Of the 4 claims of the sources, 2 are supported, 1 refuted and 1 undecided."
    alone = {"Q9": CLAIMS["Q9"]}
    assert "Of the 1 claims of the sources, 1 is refuted." in sentences.verdict(compare(make_study()), alone, {})


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.8, "20 % lower"), (1.013, "1.3 % higher"), (0.9005, "10 % lower"), (3, "200 % higher")]
)
def test_ratios_in_words(ratio, words):
    assert formatting.change(ratio).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.75, 0.86, "14 % to 25 % lower"),
        (1.11, 2.0, "11 % to 100 % higher"),
        (0.98, 1.6, "2.0 % lower to 60 % higher"),
    ],
)
def test_intervals_in_words(low, high, words):
    assert formatting.changes(low, high).replace("\N{NO-BREAK SPACE}", " ") == words


def test_numbers_that_are_missing_negative_or_tiny():
    assert formatting.fixed(None, 2) == formatting.fixed(float("nan"), 2) == "–"
    assert formatting.fixed(-1.255e3, 1) == "−1,255.0"
    assert formatting.fixed(-1e-9, 3) == "0.000"
    assert formatting.p_value(9.9e-5) == "< 0.0001"
    assert formatting.p_value(0.0499) == "0.0499"
    assert [formatting.duration(seconds) for seconds in (3.4, 125, 9000)] == ["3 s", "2 min", "2.5 h"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("one\ntwo", "one two"),
        ("<b>&amp;", "&lt;b>&amp;amp;"),
        ("[x](y) *z* `c` ~~d~~", r"\[x\](y) \*z\* \`c\` \~\~d\~\~"),
        ("non_saturating", "non_saturating"),
        ("_it_ __init__", r"\_it\_ \_\_init\_\_"),
        ("back\\slash", r"back\\slash"),
        ("$x$", r"\$x\$"),
    ],
)
def test_markdown_is_escaped(text, escaped):
    assert report.escape_markdown(text) == escaped


def test_speed_is_shown_and_an_unmeasured_gpu_is_named(tmp_path, undrawn):
    study = make_study()
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/benchmark.json"
    report.write(study, tmp_path)
    for name in ("report.md", "report.html"):
        text = (tmp_path / "reports" / name).read_text()
        assert "Synthetic CPU, 2 cores" in text
        assert "6.1 (5.9 – 6.2)" in text
        assert "not yet measured" in text
    benchmark = json.loads(path.read_text())
    (cpu,) = benchmark.values()
    put(path, {**benchmark, "A GPU": {**cpu, "hardware": {"device": "cuda", "name": "A GPU", "cores": 16}}})
    report.write(study, tmp_path)
    assert "not yet measured" not in (tmp_path / "reports/report.md").read_text()
