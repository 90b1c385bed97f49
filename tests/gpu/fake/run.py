"""Run the checks on a CUDA runtime without a GPU: `run.py [CHECK ...] [OPTION OF PYTEST ...]`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from gpu.fake import runtime  # noqa: E402 - only found there

if __name__ == "__main__":
    if lacking := runtime.missing():
        sys.exit(f"error: the fake GPU needs {lacking}")
    checks = [name for name in sys.argv[1:] if name in runtime.CHECKS]
    options = [option for option in sys.argv[1:] if option not in checks]
    sys.exit(runtime.check(options, checks or tuple(runtime.CHECKS)))
