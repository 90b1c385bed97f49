"""Download the data sets that variants use: mirrors to data/<data set>/; their checksums, by variant, to data/.

The entry of a variant that names files of the user's own has their checksums, too. So its training sees an edit of
them, and nobody else's does.
"""

from pathlib import Path
from typing import Any

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
    variants: dict[str, dict[str, Any]] = study.by_variant(sets)
    for key, variant in study.variants.items():
        if variant.files:
            variants[key] = {**variants[key], "files": variant.file_checksums}
    write_json(data / "data.json", {"sets": sets, "variants": variants})


if __name__ == "__main__":
    errors.run(main)
