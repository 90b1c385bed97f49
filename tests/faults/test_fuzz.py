"""Valid files with bytes changed at random: a reader takes them for what they say, or names them in one line.

FUZZ=10 in the environment tries ten times as many.
"""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import idx
from hostile import PARAMS, as_yaml, check_idx, study_of

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("FUZZ", "1"))
FEW = PARAMS | {
    "variants": {name: PARAMS["variants"][name] for name in ("non_saturating", "minimax_sgd", "wgan_gp")},
    "compare": PARAMS["compare"] | {"hypotheses": [], "controls": []},
}
LUMPS = [
    *(bytes([byte]) for byte in range(256)),
    *(b"!!", b"!!int ", b"!!binary ", b"!!set ", b"&a ", b"*a", b"<<: ", b"? ", b"- ", b": ", b"---\n", b"%YAML 1.1\n"),
    *(b"\n  ", b"[", b"]", b"{", b"}", b"|\n", b">", b"'", b'"', b"~", b".nan", b"-.inf", b"0x" + 5_000 * b"f"),
    *(b"9" * 5_000, b"2020-01-01", b"1e999", b"\xff\xff\xff\xff", b"\0\0\0\0"),
]


def changed(content: bytes, generator: random.Random) -> bytes:
    """Up to four times: a stretch of it put out, copied to another place, or written over."""
    for _ in range(generator.randint(1, 4)):
        place, start = (generator.randint(0, len(content)) for _ in range(2))
        lump = generator.choice(
            [b"", content[start : start + generator.randint(0, 40)], *generator.choices(LUMPS, k=4)]
        )
        content = content[:place] + lump + content[place + generator.choice([0, 1, 1, len(lump), 40]) :]
    return content


def report(reader: str, taken: Iterable[bool], capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = list(taken)
    with capsys.disabled():
        print(f"\n{len(outcomes):,} {reader} files: {sum(outcomes):,} taken, the others refused in one line")


def test_idx(capsys: pytest.CaptureFixture[str]) -> None:
    generator = random.Random(0)
    files = [idx(np.ones(shape, np.uint8)) for shape in ((9,), (2, 3, 4), (0, 5))]
    report("idx", (check_idx(changed(generator.choice(files), generator)) for _ in range(20_000 * TIMES)), capsys)


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
def test_params(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator, path, valid = random.Random(0), tmp_path / "params.yaml", as_yaml(FEW)
    taken = (study_of(path, changed(valid, generator)) is not None for _ in range(500 * TIMES))
    report("params.yaml", taken, capsys)
