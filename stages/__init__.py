"""The pipeline's stages: thin commands, paths in, paths out."""

import os
import signal
import sys
from pathlib import Path

from gan import environment
from gan.pipeline import TIMES, end_with_pipeline, note_time, place

if sys.argv[0] == "-m":  # a stage is starting; its imports take seconds
    environment.adopt()
    end_with_pipeline()
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until errors.run handles it, Ctrl-C ends the stage silently
    stage = os.environ.get("DVC_STAGE", "")
    if stage and TIMES in os.environ:
        note_time(stage, Path(os.environ[TIMES]))
    # A stage may run a second command, such as the tracking after a training.
    if sys.stderr.isatty() and f"stages.{stage.partition('@')[0]}" in sys.orig_argv:
        print(place(stage), file=sys.stderr)
