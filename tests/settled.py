"""Loaded before anything else: the tests run in the study's own environment, whatever the caller's shell has set."""

from gan.environment import adopt

adopt()
