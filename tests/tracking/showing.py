"""A study as MLflow's update reads it, files to show, and what MLflow shows."""

from collections.abc import Sequence
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

from mlflow import MlflowClient

from gan.study.schema import Study


def a_study(experiment: str, ladder: Sequence[str] = (), search: Sequence[str] = (), **seeds: list[int]) -> Any:
    """What MLflow's update reads of a study: its variants' seeds, and the objectives of its ladder and search."""
    study = SimpleNamespace(
        variants={name: SimpleNamespace(seeds=tuple(of_variant)) for name, of_variant in seeds.items()},
        ladder=SimpleNamespace(objectives=tuple(ladder)),
        search=SimpleNamespace(objectives=tuple(search)),
        tracking=SimpleNamespace(experiment=experiment, timeout_seconds=20),
    )
    study.variant = MethodType(Study.variant, study)
    return study


def save(root: Path, name: str, text: str) -> None:
    path = root / "reports" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def shown(client: MlflowClient, experiment: str) -> dict[str, dict[str, Any]]:
    """All that MLflow shows of an experiment, by the runs' names, which are to differ."""
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    runs = client.search_runs([experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {
        run.info.run_name: {
            "id": run.info.run_id,
            "status": run.info.status,
            "milliseconds": (run.info.end_time or 0) - run.info.start_time,
            "parameters": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
            "artifacts": [file.path for file in client.list_artifacts(run.info.run_id, "samples")],
        }
        for run in runs
    }
