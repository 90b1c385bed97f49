"""The images and classifiers that the pipeline has made, or else such as are made here, in .work/."""

from pathlib import Path
from typing import get_args

from gan import images
from gan.compute.executors import process_executor
from gan.data.download import download, is_whole
from gan.data.mirrors import folder, is_url
from gan.errors import StudyError
from gan.evaluation.classifier import Classifier, are_saved, load_classifiers, save_classifiers, train_classifiers
from gan.files import read_json, room_checksum
from gan.formatting import unknown
from gan.images import scale
from gan.study.fields import DataSet
from gan.study.schema import Study

WORK = Path(".work")


def data_folder(study: Study, name: DataSet, root: Path) -> Path:
    """The folder of a data set's images, which are downloaded if they are not there."""
    if name not in get_args(DataSet):
        raise StudyError(f"data: {unknown(name, get_args(DataSet))}")
    place = root / "data" / name
    if is_whole(name, place):
        return place
    mirrors = () if name == "digits" else study.data.mirrors.get(name, ())
    places = [mirror if is_url(mirror) else str(root / folder(mirror)) for mirror in mirrors]
    place = root / WORK / "data" / name
    download(name, places, study.data.timeout_seconds, place)
    return place


def classifier(study: Study, name: DataSet, root: Path) -> Classifier:
    """The classifier that counts on a data set: the pipeline's, or one that is trained here in the same way."""
    data, place = data_folder(study, name, root), root / "models" / name
    if (place / "classifiers.json").exists():
        return load_classifiers(place)[0]
    settings = study.classify.model_copy(update={"seeds": study.classify.seeds[:1]})
    made_from = {
        "parameters": settings.model_dump(mode="json", exclude={"least_accuracy"}),
        "data": read_json(data / "data.json", "sha256"),
        "code": room_checksum("evaluation"),
    }
    place = root / WORK / "models" / name
    if not are_saved(place, made_from):
        shown, labels = images.load(data, "train")
        models = train_classifiers(scale(shown), labels, settings, process_executor(study.compute))
        save_classifiers(models, place, made_from)
    return load_classifiers(place)[0]
