"""Download the data sets that variants use: mirrors to data/<data set>/; their checksums, by variant, to data/."""

from pathlib import Path

from gan import errors
from gan.data.download import download
from gan.files import remove_others, write_json
from gan.images import SPLITS, checksum
from gan.study.loading import load_study


def main() -> None:
    study, data = load_study(), Path("data")
    for name in study.data_sets:
        mirrors = () if name == "digits" else study.data.mirrors[name]
        download(name, mirrors, study.data.timeout_seconds, data / name)
    for unused in study.unused_data_sets:
        for file in ("data.json", *(f"{split}.safetensors" for split in SPLITS)):
            remove_others(data, f"{unused}/{file}", ())
    sets = {name: {split: checksum(data / name, split) for split in SPLITS} for name in study.data_sets}
    write_json(data / "data.json", {"sets": sets, "variants": study.by_variant(sets)})


if __name__ == "__main__":
    errors.run(main)
