"""The pipeline's stages: thin commands, paths in, paths out."""

import signal
import sys

if sys.argv[0] == "-m":  # a stage is starting: until it can tell of it, Ctrl-C ends it without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)
