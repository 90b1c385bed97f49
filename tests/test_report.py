"""The report on a synthetic study: what it says follows from the files, and from nothing else."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import stages.report
from gan import comparison, report
from gan.errors import StudyError
from gan.study import Study

LEVELS = {"minimax": 9.0, "non_saturating": 6.0, "cewl": 6.1}
HYPOTHESES = (
    ("H1", "superiority", "non_saturating", "minimax"),
    ("H2", "superiority", "cewl", "minimax"),
    ("H3", "equivalence", "cewl", "non_saturating"),
)


def make_study(variants=tuple(LEVELS), seeds=8, epochs=3, hypotheses=HYPOTHESES) -> Study:
    adam = {"name": "adam", "lr": 2e-4, "betas": [0.9, 0.999], "eps": 1e-8}
    return Study.model_validate({
        "data": {"name": "mnist", "timeout_seconds": 30, "mirrors": {"mnist": ["../shared/mnist"]}},
        "classify": {"seed": 0, "epochs": 6, "batch_size": 128, "lr": 3e-3, "shift": 2},
        "train": {"quantiles": [0.05, 0.25, 0.5, 0.75, 0.95]},
        "baseline": {
            "objective": "non_saturating", "seeds": list(range(seeds)), "epochs": epochs, "snapshots": [1, 2, 5, 10],
            "batch_size": 64, "latent_dim": 100, "generator_hidden": [128, 256], "discriminator_hidden": [256, 128],
            "leaky_slope": 0.2, "real_label": 1.0, "generator_optimizer": adam, "discriminator_optimizer": adam,
        },
        "variants": {name: {"objective": name} if name in LEVELS else {"real_label": 0.9} for name in variants},
        "evaluate": {"images": 10000, "neighbours": 5, "digit_share": 0.01, "grid_seeds": 4, "grid_columns": 16},
        "compare": {
            "metric": "fid", "alpha": 0.05, "margin": 1.1, "power": 0.8, "reference": "non_saturating",
            "hypotheses": [
                {"id": name, "kind": kind, "variant": first, "against": second, "text": f"The text of {name}."}
                for name, kind, first, second in hypotheses
            ],
        },
        "compute": {"engine": "local", "device": "auto", "workers": "auto", "population": "auto", "gpu_share": 1.0},
        "tracking": {"experiment": "gan-objectives", "timeout_seconds": 30},
    })  # fmt: skip


def write_inputs(root: Path, study: Study, failures=None, levels=LEVELS) -> None:
    """Synthetic files of a study; `failures` maps (variant, seed) to (epoch, cause)."""
    failures = failures or {}
    tables = []
    for place, (name, variant) in enumerate(study.variants.items()):
        generator = np.random.default_rng(place)
        runs = [
            synthetic_run(name, variant, seed, levels.get(name, 8.0), failures.get((name, seed)), generator)
            for seed in variant.seeds
        ]
        history, snapshots, metrics, records = (list(part) for part in zip(*runs, strict=True))
        history = [row for rows in history for row in rows] or {"seed": [], "epoch": []}
        put(root / f"reports/history/{name}.csv", pd.DataFrame(history))
        rows = [row for rows in snapshots for row in rows]
        put(root / f"reports/snapshots/{name}.csv", pd.DataFrame(rows, columns=["variant", "seed", "epoch", "fid"]))
        tables.append(pd.DataFrame(metrics))
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
    compare = study.compare
    put(root / "reports/comparison.json", comparison.compare(
        pd.concat(tables), compare.hypotheses, compare.reference, compare.alpha, compare.margin, compare.metric
    ))  # fmt: skip
    put(root / "reports/floor.json", {
        "images": 10000, "fid": 0.31, "kid": -0.00001, "precision": 0.97, "recall": 0.96, "density": 1.01,
        "coverage": 0.97, "digits": 10,
        "digit_shares": [0.098, 0.1135, 0.1032, 0.101, 0.0982, 0.0892, 0.0958, 0.1028, 0.0974, 0.1009],
    })  # fmt: skip
    spread = {"median": 6.125, "low": 5.875, "high": 6.25}
    put(root / "reports/benchmark.json", {"Synthetic CPU, 2 cores": {
        "hardware": {"device": "cpu", "name": "Synthetic CPU", "cores": 2},
        **{name: {"seconds_per_run_epoch": spread, "peak_mib": 512.0} for name in ("tutorial", "engine", "floor")},
        "ratio_to_tutorial": spread, "ratio_to_floor": spread, "mib_per_run": 12.25,
    }})  # fmt: skip
    put(root / "models/classifier.json", {
        "accuracy": 0.9917, "sha256": "ef" * 32, "parameters": {"epochs": 5},
        "data": {"name": "mnist", "files": {"t10k-images-idx3-ubyte.gz": "9f" * 16}, "train": 60000, "test": 10000},
    })  # fmt: skip


def synthetic_run(name, variant, seed, level, failure, generator):
    """History, snapshots, row of metrics and training record of one run."""
    last = failure[0] - 1 if failure else variant.epochs
    minimax = name == "minimax"
    history = []
    for epoch in range(1, last + 1):
        share, noise = epoch / variant.epochs, generator.normal(0, 0.05, 3)
        fake = float(np.clip((0.02 if minimax else 0.12) + 0.22 * share**1.5 + 0.02 * noise[0], 1e-3, 1))
        offsets = {"q05": -4.0, "q25": -1.6, "q50": 0.0, "q75": 1.4, "q95": 3.2}
        history.append({
            "seed": seed, "epoch": epoch,
            "discriminator_loss": (0.5 if name == "cewl" else 1) * (0.3 + 0.7 * share + noise[1]),
            "generator_loss": float(np.log(1 - fake)) if minimax else 3.2 - 1.6 * share + 2 * noise[2],
            "real_probability": 0.93 - 0.25 * share, "fake_probability": fake,
            "generator_gradient_norm": float((fake if minimax else 1 - fake) * np.exp(3 * noise[1])),
            **{f"fake_logit_{quantile}": np.log(fake / (1 - fake)) + offset for quantile, offset in offsets.items()},
        })  # fmt: skip
    # Part of the luck is the seed's, whatever the variant: that is what pairing takes out.
    luck = np.random.default_rng(1000 + seed).normal(0, 0.05) + generator.normal(0, 0.02)
    fid = level * float(np.exp(luck))
    snapshots = [
        {"variant": name, "seed": seed, "epoch": epoch, "fid": fid * (variant.epochs / epoch) ** 0.9}
        for epoch in variant.checkpoints
        if epoch <= last
    ]
    shares = generator.dirichlet(np.full(10, 60.0))
    scores = {"fid": fid, "kid": fid / 40, "precision": 0.9 - fid / 60, "recall": 0.7 - fid / 40,
              "density": 1 - fid / 50, "coverage": 0.9 - fid / 40, "digits": 10,
              **{f"digit_{digit}": share for digit, share in enumerate(shares)}}  # fmt: skip
    status, (epoch, cause) = ("failed", failure) if failure else ("finished", (None, None))
    metrics = {"variant": name, "seed": seed, "status": status, **(dict.fromkeys(scores) if failure else scores),
               "failed_epoch": epoch, "failure": cause, "key": f"{seed:032x}"}  # fmt: skip
    record = {"seed": seed, "key": f"{seed:032x}", "status": status, "seconds": 23.4,
              "failure": {"epoch": epoch, "cause": cause} if failure else None}  # fmt: skip
    return history, snapshots, metrics, record


def put(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    else:
        path.write_text(json.dumps(content))


def compare(study: Study, levels=LEVELS, failed=()) -> dict:
    """comparison.json of a study whose variants have these FIDs, give or take the luck of the seed."""
    rows = [
        {"variant": name, "seed": seed, "status": "failed" if (name, seed) in failed else "finished",
         "fid": levels.get(name, 8.0) * (1 + 0.02 * ((seed * 7 + len(name)) % 5 - 2))}
        for name, variant in study.variants.items() for seed in variant.seeds
    ]  # fmt: skip
    settings = study.compare
    return comparison.compare(
        pd.DataFrame(rows), settings.hypotheses, settings.reference, settings.alpha, settings.margin, settings.metric
    )


FAILURES = {
    ("minimax", 3): (3, "generator loss | not <b>finite</b>\nat all"),
    ("minimax", 5): (1, "weights not finite"),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A report with failures: its root, study, HTML and Markdown."""
    root, study = tmp_path_factory.mktemp("study"), make_study()
    write_inputs(root, study, FAILURES)
    path = report.write(study, root)
    assert path == root / "reports/report.html"
    return root, study, path.read_text(), (root / "reports/report.md").read_text()


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
    assert len(made[0]) == 10
    assert made[0] == made[1]
    assert capsys.readouterr().out == 2 * "Report: reports/report.html\n"


def test_the_html_is_one_file_that_asks_nobody(published):
    *_, html, _ = published
    page = Loaded(html)
    assert len([target for target in page.targets if target.startswith("data:image/")]) == 9 + 3
    anchors = {target for target in page.targets if not target.startswith("data:")}
    assert all(anchor.startswith("#") and f'id="{anchor[1:]}"' in html for anchor in anchors)
    assert not {"script", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|@import|url\(", html)


def test_the_markdown_refers_to_files_that_are_there(published):
    root, _, _, markdown = published
    targets = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", markdown)
    assert len(targets) == 9 + 3
    assert all((root / "reports" / target).is_file() for target in targets)
    assert "<" not in markdown.replace("< 0.0001", "")


def test_both_documents_show_every_variant_contrast_and_hypothesis(published):
    root, study, html, markdown = published
    text = Loaded(html).text
    comparison = json.loads((root / "reports/comparison.json").read_text())
    for document in (text, markdown.replace("\N{NO-BREAK SPACE}", " ")):
        assert report.verdict(comparison)[0] in document
        for variant in study.variants:
            assert variant in document
        for contrast in comparison["contrasts"]:
            for number in (contrast["ratio"], contrast["low"], contrast["high"]):
                assert f"{number:.3f}" in document
            assert f"{contrast['hedges_g']:.2f}".replace("-", "−") in document
            assert contrast["reason"].replace("<", "&lt;" if document != text else "<") in document
        for summary in comparison["variants"].values():
            assert f"{summary['mean']:.2f}" in document
            assert f"{summary['low']:.2f} – {summary['high']:.2f}" in document
        for hypothesis in study.compare.hypotheses:
            assert hypothesis.text in document
        assert "ef" * 32 in document
        assert "9f" * 16 in document


def test_the_ranking_ends_with_the_floor(published):
    *_, markdown = published
    table = markdown.split("## Ranking")[1].split("\n\n")[1].splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == [
        "non_saturating", "cewl", "minimax", "*floor: training images*",
    ]  # fmt: skip
    assert " 0.0 |" in table[-1]  # a KID of -0.00001


def test_failed_runs_are_listed_with_their_cause(published):
    *_, html, markdown = published
    assert "| minimax | 3 | 3 | generator loss \\| not &lt;b>finite&lt;/b> at all |" in markdown
    assert "| minimax | 5 | 1 | weights not finite |" in markdown
    assert "generator loss | not &lt;b&gt;finite&lt;/b&gt;" in html
    assert "2 of 24 runs failed (2 of minimax)" in html


def test_names_and_texts_are_text_and_never_markup(tmp_path):
    study, name = make_study(["cewl"], seeds=1, epochs=1), "<i>a|b_](x)"
    study = study.model_copy(update={"variants": {name: study.variants["cewl"]}})
    write_inputs(tmp_path, study, {(name, 0): (1, "<img src=http://x>")})
    html = report.write(study, tmp_path).read_text()
    assert "i" not in Loaded(html).tags
    assert "&lt;i&gt;a|b_](x)" in html
    assert "http://x" not in Loaded(html).targets
    markdown = (tmp_path / "reports/report.md").read_text()
    assert "<i>" not in markdown
    assert r"&lt;i>a\|b\_\](x)" in markdown


def test_a_removed_variant_leaves_the_report(tmp_path):
    write_inputs(tmp_path, make_study(["cewl", "minimax"], seeds=1, epochs=1))
    study = make_study(["minimax"], seeds=1, epochs=1, hypotheses=())
    with pytest.raises(StudyError, match="compares cewl, minimax, but the study's variants are minimax"):
        report.write(study, tmp_path)
    (tmp_path / "reports/figures").mkdir()
    (tmp_path / "reports/figures/ratios.svg").touch()
    write_inputs(tmp_path, study)
    html = report.write(study, tmp_path).read_text()
    assert (tmp_path / "reports/metrics/cewl.csv").exists()
    assert "cewl" not in html + (tmp_path / "reports/report.md").read_text()
    assert not (tmp_path / "reports/figures/ratios.svg").exists()
    assert "No two variants are compared here." in html


@pytest.mark.parametrize("failing", [["cewl"], ["cewl", "minimax"]])
def test_a_variant_of_which_every_run_failed_is_still_reported(tmp_path, failing):
    study = make_study(["cewl", "minimax"], seeds=1, epochs=1)
    write_inputs(tmp_path, study, {(name, 0): (1, "weights not finite") for name in failing})
    html = report.write(study, tmp_path).read_text()
    assert ("No run finished" in html) == (len(failing) == 2)
    assert html.count("weights not finite") == len(failing)


@pytest.mark.parametrize(
    "missing",
    [
        "reports/comparison.json", "reports/floor.json", "models/classifier.json", "reports/history/cewl.csv",
        "reports/metrics/cewl.csv", "reports/snapshots/cewl.csv", "reports/training/cewl.json",
        "reports/samples/cewl.png",
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
    (make_study(), {}, ALL, "No run finished, so no variant can be called better."),
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
def test_the_verdict_says_who_leads(study, levels, failed, expected):
    sentences = report.verdict(compare(study, LEVELS | levels, failed))
    assert sentences[0] == expected
    assert 2 <= len(sentences) <= 4


def test_the_verdict_puts_no_more_into_words_than_the_contrasts_say():
    comparison = compare(make_study())
    first, _, third = comparison["contrasts"]
    first |= {"verdict": "refuted"}  # the declared winner is the worse one
    assert report.verdict(comparison)[0].endswith("but is worse, seed by seed, than minimax.")
    first |= {"verdict": "undecided"}
    third |= {"verdict": "refuted", "ratio": 0.5}
    assert report.verdict(comparison)[0] == (
        "non_saturating ranks first, but is worse, seed by seed, than cewl and not told apart from minimax."
    )
    third |= {"ratio": 2.0}
    assert report.verdict(comparison)[0] == (
        "non_saturating ranks first: better than cewl, but is not told apart from minimax."
    )


def test_the_verdict_says_by_how_much():
    comparison = compare(make_study())
    first, _, third = comparison["contrasts"]
    first |= {"ratio": 0.804, "low": 0.75, "high": 0.86}
    third |= {"ratio": 1.25, "low": 0.98, "high": 1.6}  # the other way round: the leader stands second
    comparison["variants"]["non_saturating"]["mean"] = 6.54321
    assert report.verdict(comparison)[1].replace("\N{NO-BREAK SPACE}", " ") == (
        "Its FID averages 6.54 over 8 seeds, 20 % lower than with cewl (95 % interval 38 % lower to 2.0 % higher) "
        "and 20 % lower than with minimax (95 % interval 14 % to 25 % lower)."
    )
    third |= {"ratio": 0.8, "low": 0.5, "high": 0.9}
    assert "25\N{NO-BREAK SPACE}% higher than with cewl" in report.verdict(comparison)[1]
    assert "interval 11\N{NO-BREAK SPACE}% to 100\N{NO-BREAK SPACE}% higher)" in report.verdict(comparison)[1]
    third |= {"low": None, "high": None}
    first |= {"ratio": None, "low": None, "high": None}
    assert report.verdict(comparison)[1].endswith("over 8 seeds, 25\N{NO-BREAK SPACE}% higher than with cewl.")


@pytest.mark.parametrize(
    ("study", "levels", "expected"),
    [
        (make_study(), {}, "H1, H2 and H3 are supported; the risk"),
        (make_study(), {"cewl": 7.5}, "H1 and H2 are supported and H3 is refuted; the risk"),
        (make_study(), {"minimax": 6.0}, "H3 is supported and H1 and H2 are undecided; the risk"),
        (make_study(seeds=3), {}, "H1, H2 and H3 are descriptive only."),
        (make_study(["minimax", "cewl"]), {}, "H2 is supported and H1 and H3 are untested; the risk"),
        (make_study(["cewl"]), {}, "H1, H2 and H3 are untested."),
        (make_study(hypotheses=()), {}, "No hypothesis was declared beforehand: every contrast is exploratory."),
    ],
)
def test_the_verdict_says_what_became_of_the_hypotheses(study, levels, expected):
    assert expected in report.verdict(compare(study, LEVELS | levels))[2]


def test_the_verdict_counts_runs():
    assert report.verdict(compare(make_study()))[-1] == "All 24 runs finished."
    assert report.verdict(compare(make_study(["cewl"], seeds=1)))[-1] == "The one run finished."
    sentence = report.verdict(compare(make_study(), failed=[("cewl", 1), ("minimax", 2), ("cewl", 4)]))[-1]
    assert sentence.startswith("3 of 24 runs failed (1 of minimax, 2 of cewl); ")


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.8, "20 % lower"), (1.013, "1.3 % higher"), (0.9005, "10 % lower"), (3, "200 % higher")]
)
def test_ratios_in_words(ratio, words):
    assert report.change(ratio).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.75, 0.86, "14 % to 25 % lower"),
        (1.11, 2.0, "11 % to 100 % higher"),
        (0.98, 1.6, "2.0 % lower to 60 % higher"),
    ],
)
def test_intervals_in_words(low, high, words):
    assert report.changes(low, high).replace("\N{NO-BREAK SPACE}", " ") == words


def test_numbers_that_are_missing_negative_or_tiny():
    assert report.fixed(None, 2) == report.fixed(float("nan"), 2) == "–"
    assert report.fixed(-1.255e3, 1) == "−1,255.0"
    assert report.fixed(-1e-9, 3) == "0.000"
    assert report.p_value(9.9e-5) == "< 0.0001"
    assert report.p_value(0.0499) == "0.0499"
    assert [report.duration(seconds) for seconds in (3.4, 125, 9000)] == ["3 s", "2 min", "2.5 h"]


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
    ],
)
def test_markdown_is_escaped(text, escaped):
    assert report.escape_markdown(text) == escaped


def test_speed_is_shown_and_an_unmeasured_gpu_is_named(tmp_path: Path) -> None:
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
