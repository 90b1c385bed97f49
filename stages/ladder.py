"""Train and score every rung of the ladder: data/ and models/ to reports/ladder.csv."""

from pathlib import Path

from gan import errors
from gan.audit.recipes import check_study
from gan.compute import guards
from gan.compute.executors import local_executor
from gan.compute.trainer import code_checksum
from gan.compute.trials import provenance, train_trials
from gan.evaluation.trials import score_trials, scorers
from gan.files import room_checksum, write, write_json
from gan.study.loading import load_study


def main() -> None:
    with guards.unchanged(_rules), guards.alone("train"):
        study = load_study()
        check_study(study)
        trained = train_trials("train ladder", study.ladder.trials, study)
        executor = local_executor(study.compute, most_gpus=1)
        data_sets = {each.trial.variant.data for each in trained}
        table = score_trials("score ladder", trained, scorers(data_sets, study, executor.device), executor)
        write(Path("reports/ladder.csv"), table.to_csv(index=False))
        write_json(Path("reports/trials/ladder.json"), provenance(trained))


def _rules() -> object:
    study = load_study()
    return study.ladder, study.evaluate, study.train, code_checksum(), room_checksum("evaluation", "networks")


if __name__ == "__main__":
    errors.run(main)
