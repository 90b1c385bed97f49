"""Whether the verdict survives: another recipe, tuning, other ground, other choices of the analysis."""
