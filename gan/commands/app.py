"""The `gan` command. Each command imports what it needs, so that `gan --help` is quick."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gan import environment, errors

RUN, LOOK, PREPARE = "Run", "Look at results", "Prepare and check"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which vanilla-GAN objective is better, when, and why? Run the study, ask it questions, add to it.",
)

Reports = Annotated[Path, typer.Option(help="Folder of the reports")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"gan {version('gan')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    pass


@app.command(rich_help_panel=RUN)
def study() -> None:
    """Run the study (what is up to date is left alone) and print the verdict."""
    from gan.commands.study import run_study

    check()
    run_study()
    verdict()


@app.command(rich_help_panel=RUN)
def variant(name: str) -> None:
    """Train one new variant of params.yaml, compare it with the published scores, and print the answer about it."""
    from gan.study.loading import load_study

    study = load_study()
    study.variant(name)
    check()
    from gan.commands.study import join_variant
    from gan.reporting.terminal import show_variant

    join_variant(study, name)
    show_variant(Path("reports"), name, study.compare.reference)
    verdict()


@app.command(rich_help_panel=RUN)
def search(objective: str) -> None:
    """Search the space of recipes under one more objective of params.yaml, and print the verdict."""
    from gan.study.loading import load_study

    study = load_study()
    check()
    from gan.commands.study import join_search

    join_search(study, objective)
    verdict()


@app.command(rich_help_panel=RUN)
def run_preset(preset: Path, folder: Path) -> None:
    """Run the whole pipeline in a scratch copy, with a preset's values laid over params.yaml."""
    from gan.commands import presets

    presets.run_preset(preset, folder)
    verdict(folder / "reports")


@app.command(rich_help_panel=RUN)
def train() -> None:
    """Train every run that is missing and keep it in .work/runs, where `make study` finds it."""
    from gan.commands.study import train_missing
    from gan.study.loading import load_study

    check()
    train_missing(load_study())


@app.command(rich_help_panel=RUN)
def bench(
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Rounds; without it as many as fit into five minutes")
    ] = None,
    name: Annotated[str | None, typer.Option("--variant", help="A variant to measure alone, not the baseline")] = None,
) -> None:
    """Measure training here: tutorial, peer, engine and floor; written to reports/benchmark.json (minutes)."""
    from rich.console import Console

    from gan.audit.recipes import check_study
    from gan.benchmarking.benchmark import measure, save_entry, slower_choice, table
    from gan.compute.executors import local_executor
    from gan.images import load
    from gan.study.loading import load_study

    study, path = load_study(), Path("reports/benchmark.json")
    check_study(study)
    recipe = study.variant(name) if name else study.baseline
    images, labels = load(Path("data") / recipe.data, "train")
    entry = measure(recipe, images, labels, local_executor(study.compute), repeats, print, compared=name is None)
    save_entry(entry, path, name)
    Console().print(table(entry))
    if warning := slower_choice(entry):
        print(warning)
    print(f"Written to {path}; `.venv/bin/dvc repro --single-item report` brings it into the report")


@app.command(rich_help_panel=LOOK)
def verdict(
    reports: Annotated[Path, typer.Argument(help="Folder of the reports")] = Path("reports"), json: Json = False
) -> None:
    """Print the answer, the ranking, the verdicts and where the report is; a preset's results have no verdicts."""
    from gan.commands.presets import is_rehearsal
    from gan.reporting import terminal

    rehearsal = is_rehearsal(reports)
    if json:
        terminal.print_json(terminal.verdict_json(reports, rehearsal))
    else:
        terminal.show(reports, rehearsal)


@app.command(rich_help_panel=LOOK)
def compare(
    first: Annotated[str, typer.Argument(help="A variant, or an objective at a place: minimax@tuned")],
    second: Annotated[str, typer.Argument(help="Another one")],
    epoch: Annotated[
        int | None, typer.Option(min=1, help="After so many epochs; else the latest that both have")
    ] = None,
    reports: Reports = Path("reports"),
    json: Json = False,
) -> None:
    """Compare any two variants by their published scores, at once.

    A place is a rung of the ladder, as in "minimax@beta1 0.5", or the search's best settings, as in minimax@tuned.
    """
    from gan.reporting.terminal import print_json
    from gan.stats import pairwise
    from gan.study.loading import load_study

    settings = load_study().compare
    pair = pairwise.compare_published(reports, first, second, epoch, settings)
    if json:
        print_json(pair)
    else:
        print("\n".join(pairwise.sentences(pair)))


@app.command("list", rich_help_panel=LOOK)
def show_list(json: Json = False) -> None:
    """List the variants, the objectives with their formulas and sources, and the terms."""
    from gan.study.loading import load_study

    study = load_study()
    from rich.console import Console

    from gan.commands.listing import listing, tables
    from gan.reporting.terminal import print_json

    listed = listing(study, Path("reports"))
    if json:
        print_json(listed)
        return
    for table in tables(listed):
        Console().print(table)


@app.command(rich_help_panel=LOOK)
def reproduced(
    published: Annotated[
        Path | None, typer.Argument(help="Folder of the published reports; else they are git's")
    ] = None,
    revision: Annotated[str, typer.Option(help="The revision of git that has the published results")] = "HEAD",
    reports: Annotated[Path, typer.Option(help="Folder of the reports of the study that was run again")] = Path(
        "reports"
    ),
    json: Json = False,
) -> None:
    """Say whether a study that was run again gives the published results; exit status 0 if it does, else 1."""
    from gan.commands.reproduced import reproduced as compare_with_published
    from gan.reporting.terminal import print_json, show_reproduction

    record = compare_with_published(published, revision, reports)
    if json:
        print_json(record)
    elif record.run_again:
        show_reproduction(record)
    else:
        print(f"{reports} has the results of {record.published}: nothing was run again here, so nothing was shown.")
        print("`make study` trains the study in a fresh clone; --reports names the results of another machine.")
    if not record.reproduced:
        raise typer.Exit(1)


@app.command(rich_help_panel=LOOK)
def report(reports: Annotated[Path, typer.Argument(help="Folder of the reports")] = Path("reports")) -> None:
    """Open the report in a browser; without a desktop, print where it is."""
    path = reports / "report.html"
    if not path.is_file():
        raise errors.StudyError(f"{path} is missing: run `make study` first")
    desktop = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    print(path.resolve())
    if desktop:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


@app.command(rich_help_panel=LOOK)
def sample(
    variant: str,
    epoch: Annotated[int | None, typer.Option(help="Of the generator; without it the last one that was kept")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the run; without it the variant's first")] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many images")] = 64,
    latents: Annotated[int, typer.Option(help="Seed of the latents: another one gives other images")] = 0,
    output: Annotated[Path | None, typer.Option(help="A .png file; without it one in .scratch/pictures")] = None,
    npz: Annotated[bool, typer.Option("--npz", help="Write the images and latents as arrays, too")] = False,
) -> None:
    """Draw images of a variant's generator: of runs/, else of the published one."""
    from gan.commands import pictures

    pictures.sample(variant, epoch, seed, count, latents, output, npz)


@app.command(rich_help_panel=LOOK)
def interpolate(
    variant: str,
    from_seed: Annotated[int, typer.Option(help="Seed of the first latent")] = 0,
    to_seed: Annotated[int, typer.Option(help="Seed of the last latent")] = 1,
    steps: Annotated[int, typer.Option(min=2, max=1_000, help="How many images, both ends included")] = 12,
    epoch: Annotated[int | None, typer.Option(help="Of the generator; without it the last one that was kept")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the run; without it the variant's first")] = None,
    output: Annotated[Path | None, typer.Option(help="A .png file; without it one in .scratch/pictures")] = None,
) -> None:
    """Draw a row of images on the way from one latent to another."""
    from gan.commands import pictures

    pictures.interpolate(variant, epoch, seed, (from_seed, to_seed), steps, output)


@app.command(rich_help_panel=LOOK)
def rescore(variant: str) -> None:
    """Score a variant's published generator and compare with its published scores; nothing is trained."""
    from gan.commands import rescore as scores

    scores.show(scores.rescore(variant))


@app.command(rich_help_panel=LOOK)
def ui(
    host: Annotated[str, typer.Option(help="Address to serve on; 0.0.0.0 is all of this machine's")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 5000,
    allowed: Annotated[str, typer.Option(help="Further names of this machine, with commas between them")] = "",
) -> None:
    """Serve MLflow's page over all runs."""
    from gan.tracking.page import serve

    serve(host, port, [name for name in allowed.replace(",", " ").split() if name])


@app.command(rich_help_panel=PREPARE)
def check(
    joining: Annotated[str | None, typer.Option(help="A new variant that is to join the published scores")] = None,
) -> None:
    """Validate params.yaml; say what the study will run."""
    from gan.formatting import joined
    from gan.study.loading import load_study

    study = load_study()
    if joining:
        study.variant(joining)
    # They import torch, which takes seconds; most mistakes are reported before.
    from gan.audit.recipes import check_study
    from gan.commands.published import check_joining

    check_study(study)
    if joining:
        check_joining(study, joining, Path())
    runs = sum(len(variant.seeds) for variant in study.variants.values())
    print(f"params.yaml is valid: {len(study.variants)} variants, {runs} runs on {joined(study.data_sets)}")


@app.command(rich_help_panel=PREPARE)
def new_variant(
    name: str,
    origin: Annotated[str | None, typer.Option("--from", help="A variant whose settings it starts from")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, such as real_label=0.9; may be repeated")
    ] = None,
) -> None:
    """Add a variant to params.yaml, whose comments stay; say what to run next."""
    from gan.commands.new_variant import add_variant

    line = add_variant(name, origin, settings or [])
    print(f"Added to params.yaml:\n{line}", end="")
    print(f"Next: `make variant NAME={name}` trains it and compares it with the published scores, or `make study`.")


@app.command(rich_help_panel=PREPARE)
def power(
    reports: Annotated[Path | None, typer.Argument(help="Folder of a pilot's reports")] = None,
    effect: Annotated[float | None, typer.Option(help="A true ratio of the metric that is to be shown")] = None,
    margin: Annotated[float | None, typer.Option(help="A margin within which equality is to be shown")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of log ratios over seeds")] = None,
    family: Annotated[int, typer.Option(min=1, help="Tests that share compare.alpha")] = 1,
) -> None:
    """Say how many seeds are needed: by the declared hypotheses, from a pilot; or for an effect, or for a margin.

    From a pilot it is written to reports/pilot.json.
    """
    from gan.stats import pilot
    from gan.study.loading import load_study

    settings = load_study().compare
    if effect is None and margin is None:
        if reports is None:
            raise errors.StudyError("name the folder of a pilot's reports, or --effect or --margin with --sd")
        for line in pilot.plan_from(reports, load_study(), Path("reports/pilot.json")):
            print(line)
        return
    if reports is not None or sd is None:
        raise errors.StudyError(
            "--effect and --margin need --sd, the standard deviation of log ratios, and no folder; "
            "reports/pilot.json has the pilot's"
        )
    needs = [] if effect is None else [pilot.seeds_for_effect(effect, sd, family, settings)]
    needs += [] if margin is None else [pilot.seeds_for_margin(margin, sd, family, settings)]
    for need in needs:
        exact = "" if need.seeds_for_power >= need.fewest else ", the fewest with which the exact test has a verdict"
        print(f"{need.question}: {need.seeds} seeds (power {need.power:g}, alpha {need.level:.3g}, sd {sd:g}){exact}")


@app.command(rich_help_panel=PREPARE)
def audit() -> None:
    """Compare every loss with the equation of its name, and every variant's losses with every other's."""
    from gan.audit import record as losses
    from gan.reporting.terminal import show_audit
    from gan.study.loading import load_study

    record = losses.audit(load_study())
    show_audit(record)
    losses.refuse_faults(record)


def main() -> None:
    environment.adopt()
    errors.run(app)
