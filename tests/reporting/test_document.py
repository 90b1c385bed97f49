"""Both documents say what the files say, and every part of it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting import planted
from reporting.building import (
    CLAIMS,
    CONTROLS,
    FAILURES,
    IDENTITIES,
    LEVELS,
    PREREGISTRATION,
    STUDIED,
    Page,
    change,
    make_study,
    page_text,
    plain,
    put,
    render,
    table_rows,
    write_inputs,
)

import stages.report
from gan import formatting
from gan.files import read_json
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.reporting import headline, results, sentences
from gan.reporting.figures import drawing


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A report with failures: its root, study, HTML and Markdown."""
    root, study = tmp_path_factory.mktemp("study"), make_study(STUDIED, controls=CONTROLS)
    write_inputs(root, study, FAILURES, LEVELS | {"twin": 6.0}, collapsed=[("r3", 1)])
    return root, study, *render(root, study, drawn=True)


def test_identical_files_give_identical_reports(tmp_path, monkeypatch, capsys):
    study = make_study(["cewl"], seeds=2, epochs=2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.report.load_study", lambda: study)
    write_inputs(Path(), study)
    written = []
    for _ in range(2):
        stages.report.main()
        paths = (path for path in Path().rglob("*") if path.suffix in (".html", ".md", ".svg"))
        written.append({path.name: path.read_bytes() for path in paths})
    assert len(written[0]) == 2 + 11 + 9
    assert written[0] == written[1]
    assert capsys.readouterr().out == 2 * "Report: reports/report.html\n"


def test_the_html_is_one_file_that_loads_nothing(published):
    *_, html, _ = published
    page = Page(html)
    assert [target for target in page.targets if target.startswith("data:")] == ["data:,"]  # the icon
    assert len(re.findall(r'background-image: url\("data:image/png;base64,[^"]+"\)', html)) == len(STUDIED)
    anchors = {target for target in page.targets if target.startswith("#")}
    assert all(f'id="{anchor[1:]}"' in html for anchor in anchors)
    assert {"#fresh", "#ratios", "#samples"} < anchors  # of claims
    assert len(re.findall(r' id="', html)) == len(set(re.findall(r' id="([^"]+)"', html)))
    assert not {"iframe", "object", "embed", "base", "img", "link"} & set(page.tags) - {"link"}
    assert not re.search(r"https?://|@import", html)
    assert not re.search(r"""url\((?!#|"data:image/png;)""", html)


def test_the_markdown_refers_to_files_that_exist(published):
    root, _, _, markdown = published
    targets = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", markdown)
    assert targets == [f"figures/{name}.svg" for name in ("map", "ladder", "grounds")]
    assert all((root / "reports" / target).is_file() for target in targets)
    assert "<" not in markdown
    assert len(markdown.split()) < 1500  # one or two screens


def test_every_table_of_the_markdown_is_whole(published):
    *_, markdown = published
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown, flags=re.MULTILINE)
    assert len(tables) == len(re.findall(r"^\|:?--", markdown, flags=re.MULTILINE)) == 1
    for table in tables:
        head, rule, *rows = table.splitlines()
        assert re.fullmatch(r"\|(:?-+:?\|)+", rule)
        assert rows
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in (head, rule, *rows)]
        assert set(cells) == {cells[0]}, table


def test_both_documents_open_with_the_answer(published):
    root, study, html, markdown = published
    answer = headline.answer(results.Results.read(study, root).findings)
    assert plain(answer) in plain(page_text(html))
    assert markdown.split("\n\n")[1] == f"**{plain(answer)}**"
    numbers = headline.headline(results.Results.read(study, root).findings)
    assert markdown.split("\n\n")[2] == plain(numbers)
    assert plain(numbers) in plain(page_text(html))
    told = sentences.details(results.Results.read(study, root).findings, CLAIMS, {})
    assert markdown.split("\n\n")[3] == plain(" ".join(told))
    assert all(plain(sentence) in page_text(html) for sentence in told)


def test_every_variant_contrast_and_hypothesis_is_shown(published):
    root, study, html, _ = published
    comparison = read(Comparison, root / "reports/comparison.json")
    assert {each.family for each in comparison.contrasts} == {"declared", "control", "exploratory"}
    parts = [plain(sentence) for sentence in sentences.leading(comparison)]
    parts += [*study.variants, "ef" * 32, "fe" * 32, "9f" * 16, PREREGISTRATION]
    parts += [hypothesis.text for hypothesis in (*study.compare.hypotheses, *study.compare.controls)]
    for contrast in comparison.contrasts:
        parts += [f"{number:.3f}" for number in (contrast.ratio, contrast.low, contrast.high)]
        parts += [formatting.fixed(contrast.hedges_g, 2), contrast.reason]
        parts += [f"{contrast.failures.variant} / {contrast.failures.against}"]
    for standing in comparison.standings:
        for summary in standing.variants.values():
            parts += [formatting.score(summary.mean)]
            parts += [f"{formatting.score(summary.low)} – {formatting.score(summary.high)}"]
            parts += [f"{100 * summary.failure_low:.0f} – {100 * summary.failure_high:.0f} %"]
    text = page_text(html)
    assert [part for part in parts if part not in text] == []


def test_every_claim_is_shown_with_its_rule_in_order(published):
    *_, html, _ = published
    text = page_text(html)
    for claim in CLAIMS.values():
        for part in (claim.text, claim.rule, claim.kind, claim.verdict, claim.reason):
            assert part in text
    assert "reports/claims.json" in text
    assert "T4 and Q9 rest on one fact: whether minimax learns." in text or "Q9 and T4 rest on one fact" in text
    places = [text.index(CLAIMS[name].text) for name in ("V2", "T4", "Q9", "Q10")]
    assert places == sorted(places)
    for name, claim in CLAIMS.items():
        row = re.split(rf"<th title=[^>]*>{name}</th>", html)[1].split("</tr>")[0]
        assert f'class="word {claim.verdict}"' in row


def test_each_standing_has_its_table_and_figure(published):
    root, _, html, _ = published
    shown = {epochs: table_rows(html, f"ranking-{epochs}")[1:] for epochs in (3, 2)}
    floor = "floor: training images"
    standings = json.loads((root / "reports/comparison.json").read_text())["standings"]
    names = [[row[1] for row in shown[standing["epochs"]]] for standing in standings]
    assert names == [[*standing["ranking"], floor] for standing in standings]
    assert set(standings[1]["ranking"]) == {*standings[0]["ranking"], "r3"}
    assert {path.stem for path in (root / "reports/figures").glob("seeds-*")} == {"seeds-3", "seeds-2"}
    assert [row[0] for row in shown[3][:-1]] == ["1=", "1=", "1=", "4"]
    assert {tuple(row[8:]) for row in shown[3] if row[1] == floor} == {("0.0", "0.892", "10.0", "")}  # KID -0.00001
    assert {row[-1] for row in shown[3][:-1]} == {"23 s"}
    assert {row[-1] for row in shown[2][:-1] if row[1] != "r3"} == {"16 s"}  # of the 3 epochs that take 23 s
    assert "After 3 epochs (means over the snapshots after 2 and 3)" in page_text(html)


def test_failed_runs_are_listed_with_their_cause(published):
    *_, html, _ = published
    assert table_rows(html, "diverged")[1:] == [
        ["minimax", "3", "3", "generator loss | not <b>finite</b> at all"],
        ["minimax", "5", "1", "weights not finite"],  # once, though it has a row per scored epoch
    ]
    assert "generator loss | not &lt;b&gt;finite&lt;/b&gt;" in html
    rows = {row[0]: row[1:] for row in table_rows(html, "failures")}
    assert rows["minimax"] == ["3", "8", "0", "0", "0", "2", "25 %", "3 – 65 %"]
    assert rows["r3"] == ["2", "8", "0", "0", "1", "0", "12 %", "0 – 53 %"]


def test_a_variant_that_always_collapses_is_labelled(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study, collapsed=[("minimax", seed) for seed in range(8)])
    html, _ = render(tmp_path, study)
    comparison = json.loads((tmp_path / "reports/comparison.json").read_text())
    minimax, contrast = comparison["standings"][0]["variants"]["minimax"], comparison["contrasts"][0]
    assert minimax["mean"] is None
    assert contrast["ratio"] is None
    scored, ratio = formatting.score(minimax["scored_mean"]), f"{contrast['scored_ratio']['ratio']:.3f}"
    row = next(row for row in table_rows(html, "ranking-3") if row[1] == "minimax")
    assert row[2:8] == ["–", "–", "8", "8 mode collapse", "63 – 100 %", scored]
    text = page_text(html)
    assert "all 8 of minimax (95 % interval of the share 63 – 100 %" in text
    assert f"mean FID {scored}, failed runs included)" in text
    assert "than with minimax (95 % interval" in text
    assert f"△ {ratio}" in text
    assert "minimax always draws the same few images" in text


@pytest.mark.parametrize("late", [(), ("cewl", "minimax")])
def test_runs_from_before_the_preregistration_are_told(tmp_path, late):
    study = make_study()
    write_inputs(tmp_path, study, late=late)
    text = page_text(render(tmp_path, study)[0])
    assert ("Declared after these runs: 8 of minimax and 8 of cewl." in text) == bool(late)
    assert ("hypotheses declared after 16 of their runs" in text) == bool(late)
    assert ("hypotheses declared beforehand" in text) == (not late)
    assert ("All 24 runs were trained under it." in text) == (not late)


def test_optional_parts_are_shown_where_they_are_there(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/comparison.json"
    sections = ("Where does the variation over seeds come from?", "Is the order that of the published table?")
    untested = "H4 could not be tested: they share no scored epoch."
    text = page_text(render(tmp_path, study)[0])
    assert not any(section in text for section in (*sections, untested))
    assert "99.03 %" in text.split("Do other classifiers agree?")[1].split("How low can FID get")[0]
    assert "No control was run." in text
    fids = {name: {"published": 12.5 + place, "spread": 1.5, "ours": 7.25} for place, name in enumerate(LEVELS)}
    change(
        path,
        sensitivity={},
        untested=[{"id": "H4", "family": "declared", "missing": [], "reason": "they share no scored epoch"}],
        spread=[
            {"source": "everything", "variant": "cewl", "epoch": 3, "n": 8, "sd": 0.0456, "low": 0.03, "high": 0.09}
        ],
        literature={
            "data": "mnist", "epochs": 3, "published": list(LEVELS), "ours": list(LEVELS)[::-1], "fids": fids,
            "tau": -1.0, "p": 0.3333,
        },
    )  # fmt: skip
    text = page_text(render(tmp_path, study)[0])
    assert all(section in text for section in (*sections, untested))
    assert all(number in text for number in ("0.046", "13.5 ± 1.5", "7.25", "−1.00", "0.3333"))
    assert "Only one classifier has scored these runs." in text


def test_the_snapshots_that_scores_are_means_over_are_told(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    text = page_text(render(tmp_path, study)[0])
    assert "those of epochs 1 and 2 after 2 epochs; 2 and 3 after 3 epochs. All others" in text
    study = study.model_copy(update={"evaluate": study.evaluate.model_copy(update={"scores": {9: (8, 9)}})})
    text = page_text(render(tmp_path, study)[0])
    assert "its scores are those of one snapshot. No run is scored after 9 epochs (evaluate.scores)" in text


def test_mnist_is_named_only_where_it_is_the_data_set(tmp_path):
    study = make_study(data="fashion_mnist")
    write_inputs(tmp_path, study)
    assert not (tmp_path / "models/mnist").exists()
    text = page_text(render(tmp_path, study)[0])
    assert not re.search("(?<!Fashion-)MNIST", text)
    assert "Here each stands for a kind of clothes." in text


def test_without_fresh_discriminators_nothing_points_to_their_figure(tmp_path):
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    change(tmp_path / "reports/mechanism.json", fresh_discriminator=[])
    html, markdown = render(tmp_path, study, drawn=True)
    assert not (tmp_path / "reports/figures/fresh.svg").exists()
    assert '"#fresh"' not in html
    assert 'id="fresh"' not in html
    assert "figures/fresh.svg" not in markdown


def test_the_audit_is_shown(published):
    root, *_, html, _ = published
    record = json.loads((root / "reports/audit.json").read_text())
    parts = [entry["generator"] for entry in record["equations"]]
    parts += [identity.statement for identity in IDENTITIES]
    parts += [entry["text"] for entry in record["numerics"]]
    parts += [pair["verdict"] for pair in record["pairs"]]
    parts += ["The very same losses: non_saturating and same_data.", "non_saturating = same_data"]
    text = page_text(html)
    assert [part for part in parts if part not in text] == []
    assert "≠" not in text


def test_a_loss_that_is_not_its_equation_stands_out(tmp_path):
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/audit.json"
    record = json.loads(path.read_text())
    record["equations"][0] |= {"holds": False, "error": 2.0, "faults": ["minimax: it is that of cewl"]}
    put(path, record)
    html, _ = render(tmp_path, study)
    assert '<span class="word refuted">no</span>: minimax: it is that of cewl' in html


@pytest.mark.parametrize("kept", [True, False])
def test_the_simulation_study_says_where_its_bound_is_broken(tmp_path, kept):
    study = make_study()
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/simulation.json"
    record = json.loads(path.read_text())
    for scenario in record["scenarios"]:
        for error in scenario["errors"].values():
            error["kept"] = True
    error = {"rate": 0.0725, "low": 0.061, "high": 0.0849, "kept": kept}
    record["scenarios"][1]["errors"]["false superiority"] |= error
    put(path, record)
    text = page_text(render(tmp_path, study)[0])
    text = plain(text)
    assert ("The bound is kept everywhere." in text) == kept
    assert ("above the bound" in text) == (not kept)
    assert ("Not kept: false superiority in “margin” (7.2 %)." in text) == (not kept)
    assert "6.1 – 8.5 %" in text
    assert "No verdict is right or wrong there; the decision says" in text


def test_it_says_which_variants_the_figures_show(published, tmp_path, monkeypatch):
    *_, html, _ = published
    named = "The figures here show the 4 variants that hypotheses and controls name"
    assert named in page_text(html)
    monkeypatch.setattr(results, "DRAWN_AT_MOST", 5)
    names = [*LEVELS, *(f"softer-{number}" for number in range(6))]
    study = make_study(names, seeds=2)
    write_inputs(tmp_path, study, levels={**LEVELS, "softer-4": 1.0, "softer-1": 2.0})
    html, _ = render(tmp_path, study)
    text = page_text(html)
    assert "figures, samples and groups of losses have 5" in text
    assert all(name in text for name in names)
    drawn = {name for name in names if f"Grid of generated images: {name}," in html}
    assert drawn == {*LEVELS, "softer-1", "softer-4"}


def test_a_removed_variant_leaves_the_report(tmp_path):
    write_inputs(tmp_path, make_study(["softer", "minimax"], seeds=1, epochs=1))
    study = make_study(["minimax"], seeds=1, epochs=1)
    drawing.save(drawing.rows(["a row"], 1.0)[0], tmp_path / "reports/figures/ratios.svg")
    (tmp_path / "reports/figures/mine.svg").write_text("<svg/>", encoding="utf-8")
    write_inputs(tmp_path, study)
    html, markdown = render(tmp_path, study, drawn=True)
    assert (tmp_path / "reports/metrics/softer.csv").exists()
    assert not (tmp_path / "reports/figures/ratios.svg").exists()
    assert (tmp_path / "reports/figures/mine.svg").exists()
    assert not any("softer" in page for page in (html, markdown))
    assert "No two variants are compared here." in html


@pytest.mark.parametrize("failing", [["cewl"], ["cewl", "minimax"]])
def test_a_variant_of_which_every_run_failed_is_still_reported(tmp_path, failing):
    study = make_study(["cewl", "minimax"], seeds=1, epochs=1)
    write_inputs(tmp_path, study, {(name, 0): (1, "weights not finite") for name in failing})
    html, _ = render(tmp_path, study, drawn=True)
    assert ("No run survived" in html) == (len(failing) == 2)
    assert html.count("weights not finite") == len(failing)


def test_speed_is_shown_and_an_unmeasured_gpu_is_named(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    text = page_text(render(tmp_path, study)[0])
    assert "Synthetic CPU, 2 cores" in text
    assert "6.1 (5.9 – 6.2)" in text
    assert "not yet measured" in text
    path = tmp_path / "reports/benchmark.json"
    (cpu,) = json.loads(path.read_text()).values()
    change(path, **{"A GPU": {**cpu, "hardware": {"device": "cuda", "name": "A GPU", "cores": 16}}})
    assert "not yet measured" not in page_text(render(tmp_path, study)[0])


def test_each_data_set_has_its_own_ranking_figures_and_tables(tmp_path):
    study = make_study((*LEVELS, "clothes", "clothes_minimax"), seeds=4)
    write_inputs(tmp_path, study)
    change(tmp_path / "reports/floor.json", fashion_mnist={
        **read_json(tmp_path / "reports/floor.json", "mnist"), "fid": 0.77,
    })  # fmt: skip
    html, _ = render(tmp_path, study, drawn=True)
    text = page_text(html)
    for part in (
        "On mnist: non_saturating ", "On fashion_mnist, after 3 epochs clothes",
        "and 20 runs on mnist and", "On fashion_mnist each stands for a kind of clothes.",
        "Scores on different data sets can't be compared",
    ):  # fmt: skip
        assert part in text
    rankings = [table_rows(html, f"ranking{place}-3")[1:] for place in ("", "-fashion_mnist")]
    shown = [[row[1] for row in rows] for rows in rankings]
    assert [set(rows[:-1]) for rows in shown] == [set(LEVELS), {"clothes", "clothes_minimax"}]
    assert [rows[-1][2] for rows in rankings] == ["0.310", "0.770"]
    assert "clothes /" not in html
    for name in ("learning", "digits", "seeds"):
        assert list((tmp_path / "reports/figures").glob(f"{name}-fashion_mnist*.svg"))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_an_entry_without_what_is_measured_today_has_dashes(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    path = tmp_path / "reports/benchmark.json"
    (old,) = json.loads(path.read_text()).values()
    new = {
        **old,
        "engine": {**old["engine"], "path": "onednn"},
        "peer": old["engine"],
        "ratio_to_peer": old["ratio_to_floor"],
    }
    alone = {name: value for name, value in old.items() if name not in ("tutorial", "ratio_to_tutorial")}
    change(path, **{"Another CPU": new, "Another CPU, hinge": alone})
    html, _ = render(tmp_path, study)
    head, *rows = table_rows(html, "speed")
    assert head[1:7] == ["products", "tutorial", "peer", "engine", "floor", "tutorial / engine"]
    ratios = ["6.1 (5.9 – 6.2)", "6.12 (5.88 – 6.25)"]
    assert rows[0][:8] == ["Synthetic CPU, 2 cores", "–", "6.12 s", "–", "6.12 s", "6.12 s", ratios[0], "–"]
    assert rows[1][:8] == ["Another CPU", "onednn", "6.12 s", "6.12 s", "6.12 s", "6.12 s", *ratios]
    assert rows[2][:8] == ["Another CPU, hinge", "–", "–", "–", "6.12 s", "6.12 s", "–", "–"]
    assert {len(row) for row in rows} == {len(head)}


def test_each_designed_experiment_has_its_table(published):
    *_, html, _ = published
    scope = table_rows(html, "scope")
    assert scope[1] == ["the printed recipe", "mnist", "better", "0.39", "0.35 – 0.41", "10", "20", "0.88"]
    assert [row[2] for row in scope[1:-1]] == ["better", "equivalent", "undecided", "worse"]
    assert scope[3][4] == scope[4][6] == "–"  # without an interval, and without epochs
    assert scope[-1][-1] == "0.72"
    ladder = table_rows(html, "ladder-table")
    assert ladder[1] == [
        "printed",
        "nothing",
        "3",
        "0 of 3",
        "997",
        "3 of 3",
        "457",
        "0.65",
        "0.41 – 1.04",
        "non_saturating (as printed)",
    ]
    assert [row[-1] for row in ladder[2:5]] == [
        "neither (no difference)",
        "non_saturating (as printed)",
        "minimax (reversed)",
    ]
    assert ladder[2][1] == "Adam's beta1 at 0.5 instead of 0.9"
    assert ladder[5][:2] == ["Fashion-MNIST", ""]
    search = table_rows(html, "search")
    assert search[1][2:] == ["20 of 36 (56 %, 41 – 70 %)", "0.0625", "undecided"]
    assert search[2][2:] == ["12 and 22; 2 and 12 alone", "0.0259", "fails less"]
    assert search[3][2:] == ["ratio 0.98 (0.94 – 1.02); 1 of 20 runs failed", "0.0030", "equivalent"]
    assert [row[0] for row in search[1:]] == 3 * ["declared"] + 3 * ["described"]
    settings = table_rows(html, "settings")
    assert settings[2][:9] == [
        "non_saturating",
        "0.00031",
        "0.00016",
        "0.5",
        "0.99",
        "0.9",
        "312",
        "299 – 327",
        "1 of 10",
    ]
    assert settings[2][9:11] == ["37 of 49", "66 – 86 %"]
    truth = table_rows(html, "truth")
    assert ["minimax", "0.5", "3", "1", "7.5", "50 %", "0.0150"] in truth
    assert ["cewl", "0.000 ± 0.500i", "0.000 ± 0.500i", "1.0040", "1.0040"] in truth
    earlier = table_rows(html, "earlier")
    assert earlier[1] == ["study-1", "0.39 (0.35 – 0.41)", "7", "better", "1.01 (0.98 – 1.05)", "10", "equivalent"]
    assert earlier[2] == ["study-4-again (not pooled)", "0.39 (0.35 – 0.41)", "7", "better", "–", "", ""]
    assert earlier[-1] == ["pooled", *("0.39 (0.36 – 0.42)", "2 studies", "I² 25 %"),
                           *("1.01 (0.99 – 1.03)", "2 studies", "I² 0 %")]  # fmt: skip
    assert "Of 4 specifications, 3 agree with the published verdicts" in page_text(html)


def test_precision_recall_and_density_stand_in_the_appendix_with_what_has_learnt_nothing(published):
    *_, html, _ = published
    appendix = {row[0]: row[1:] for row in table_rows(html, "neighbours")}
    assert appendix["mean image"][0] == "1.000"
    assert appendix["noise"][0] == "0.850"
    assert "the mean of all test images has a precision of 1.000 and static noise has a precision of 0.850" in (
        page_text(html)
    )
    assert not {"precision", "recall", "density"} & set(table_rows(html, "ranking-3")[0])
    assert {"KID", "coverage"} < set(table_rows(html, "ranking-3")[0])


def test_records_without_anything_decided_are_told(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    reports = tmp_path / "reports"
    put(reports / "memory.json", replace(planted.memory(slope=None), runs=[], directions=[]))
    curve = planted.specifications()
    empty = [replace(curve.contrasts[0], total=0, agreeing=0, left_out=4, choices={})]
    put(reports / "specifications.json", replace(curve, contrasts=empty, specifications=[]))
    undecided = planted.wins("undecided", None, None, None)
    put(reports / "search.json", planted.search(undecided, planted.tuned_contrast("undecided", None, None, None)))
    html, _ = render(tmp_path, study, drawn=True)
    text = page_text(html)
    for part in (
        "too few standstills ended", "No contrast could be decided under other choices.", "neither the non-saturating",
        "no run of one of the two survived",
    ):  # fmt: skip
        assert part in text
    for name in ("specifications", "updates", "recovery", "cosines"):
        assert not (reports / f"figures/{name}.svg").exists()
        assert f'id="{name}"' not in html
