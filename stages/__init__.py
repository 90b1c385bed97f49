"""The pipeline's stages: thin commands, paths in, paths out."""

import signal
import sys

from gan.compute.pipeline import end_with_pipeline

if sys.argv[0] == "-m":  # a stage is starting, and what it imports takes seconds
    end_with_pipeline()
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it can tell of it, Ctrl-C ends it without a word
