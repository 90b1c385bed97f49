"""Whether a study that was run again gives the published results."""
