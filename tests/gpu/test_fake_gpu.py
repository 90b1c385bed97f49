"""A short form of `make fake-gpu`: training on a CUDA runtime without a GPU, which judges every call."""

from pathlib import Path

import pytest
from gpu.fake import runtime


@pytest.mark.slow
@pytest.mark.skipif(bool(runtime.missing()), reason=f"the fake GPU needs {runtime.missing()}")
def test_steps_keep_cudas_rules_and_breaches_are_caught(tmp_path: Path) -> None:
    options = ["--basetemp", str(tmp_path / "checks"), "-k", "not with_term"]
    assert runtime.check(options, ("check_training.py", "check_plants.py")) == 0
