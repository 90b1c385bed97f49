"""MLflow, a window on the files."""

SHOWN = "GAN_SHOWN"  # the variable with the number of a file whose lines the user sees at once
