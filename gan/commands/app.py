"""The `gan` command. Each command imports what it needs, so that `gan --help` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from gan import environment, errors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
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


@app.command()
def study() -> None:
    """Run the study (what is up to date is left alone) and print the verdict."""
    from gan.commands.study import run_study

    check()
    run_study()
    verdict()


@app.command()
def train() -> None:
    """Train every run that is missing and keep it in .work/runs, where `make study` finds it."""
    from gan.commands.study import train_missing
    from gan.study.loading import load_study

    check()
    train_missing(load_study())


@app.command()
def variant(name: str) -> None:
    """Train one new variant of params.yaml, compare it with the published scores, and print the verdict."""
    from gan.study.loading import load_study

    study = load_study()
    study.variant(name)
    check()
    from gan.commands.study import join_variant

    join_variant(study, name)
    verdict()


@app.command()
def search(objective: str) -> None:
    """Search the space of recipes under one more objective of params.yaml, and print the verdict."""
    from gan.study.loading import load_study

    study = load_study()
    check()
    from gan.commands.study import join_search

    join_search(study, objective)
    verdict()


@app.command()
def verdict(reports: Annotated[Path, typer.Argument(help="Folder of the reports")] = Path("reports")) -> None:
    """Print the ranking, the verdicts and where the report is; a preset's results are a rehearsal without verdicts."""
    from gan.commands.presets import is_rehearsal
    from gan.reporting.terminal import show

    show(reports, is_rehearsal(reports))


@app.command()
def audit() -> None:
    """Compare every loss with the equation of its name, and every variant's losses with every other's."""
    from gan.audit import record as losses
    from gan.reporting.terminal import show_audit
    from gan.study.loading import load_study

    record = losses.audit(load_study())
    show_audit(record)
    losses.refuse_faults(record)


@app.command()
def run_preset(preset: Path, folder: Path) -> None:
    """Run the whole pipeline in a scratch copy, with a preset's values laid over params.yaml."""
    from gan.commands import presets

    presets.run_preset(preset, folder)
    verdict(folder / "reports")


@app.command()
def power(reports: Annotated[Path, typer.Argument(help="Folder of a pilot's reports")]) -> None:
    """Compute from a pilot how many seeds the declared hypotheses need; written to reports/pilot.json."""
    from gan.compute.tables import read_tables
    from gan.files import write_json
    from gan.stats.pilot import plan
    from gan.study.loading import load_study

    study = load_study()
    scored = sorted(path.stem for path in (reports / "metrics").glob("*.csv"))
    if not scored:
        raise errors.StudyError(f"{reports / 'metrics'} has no scores: run `make pilot` first")
    metrics = read_tables(reports / "metrics", scored)
    if seen := set(metrics["seed"]) & {seed for variant in study.variants.values() for seed in variant.seeds}:
        raise errors.StudyError(f"seed {min(seen)} is the study's own: a pilot's seeds must be others")
    planned = plan(metrics, study.compare)
    write_json(Path("reports/pilot.json"), planned)
    for need in planned["hypotheses"] + planned["controls"]:
        reason = f"sd of log ratios {need['sd']:.3f}" if need["sd"] is not None else need["note"]
        print(f"{need['id']}: {need['seeds']} seeds ({reason})")


@app.command()
def bench(
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Rounds; without it as many as fit into five minutes")
    ] = None,
    name: Annotated[str | None, typer.Option("--variant", help="A variant to measure alone, not the baseline")] = None,
) -> None:
    """Measure training here: tutorial, peer, engine and floor; written to reports/benchmark.json (minutes)."""
    from rich.console import Console

    from gan.audit.recipes import check_study
    from gan.commands.benchmark import measure, save_entry, slower_choice, table
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


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to serve on; 0.0.0.0 is all of this machine's")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 5000,
    allowed: Annotated[str, typer.Option(help="Further names of this machine, with commas between them")] = "",
) -> None:
    """Serve MLflow's page."""
    from gan.tracking.page import serve

    serve(host, port, [name for name in allowed.replace(",", " ").split() if name])


def main() -> None:
    environment.adopt()
    errors.run(app)
