"""The whole of reports/mechanism.json."""

from pathlib import Path

import torch

from gan.compute import store
from gan.compute.executors import ProcessExecutor
from gan.mechanism.measuring import measure
from gan.study.schema import Study
from gan.training.loop import train
from gan.training.population import RunSpec

SEEDS = [0, 2]


def test_the_record_has_every_seed_and_epoch(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    variant = study.variants["non_saturating"]
    for seed in SEEDS:
        (run,) = train([RunSpec(variant, seed)], images, (0.5,), "cpu", lambda done: None)
        store.save_run(run, tmp_path / "kept" / str(run.seed), {})
    store.export_runs({str(seed): tmp_path / "kept" / str(seed) for seed in SEEDS}, tmp_path / "runs")
    settings = study.mechanism.model_copy(update={"epochs": (1, 2), "seeds": tuple(SEEDS), "steps": 2})
    study = study.model_copy(update={"mechanism": settings})
    record = measure(study, tmp_path / "runs", images, ProcessExecutor(2))
    everything = [(loss, epoch, seed) for loss in ("minimax", "non_saturating") for epoch in (1, 2) for seed in SEEDS]
    assert {(row.loss, row.epoch, row.seed) for row in record.fresh_discriminator} == set(everything)
    assert [(row.loss, row.epoch, row.seed) for row in record.fresh_summaries] == everything
    assert [row.seed for row in record.perfect_generator] == SEEDS
    assert len({row.condition for row in record.twins.trained}) == 6
    again = measure(study, tmp_path / "runs", images, ProcessExecutor(1))
    assert record.fresh_discriminator == again.fresh_discriminator
    assert record.fresh_summaries == again.fresh_summaries
    assert record.twins == again.twins
