"""The data sets and how many images they have."""

SIZES = {
    "mnist": {"train": 60_000, "test": 10_000},
    "fashion_mnist": {"train": 60_000, "test": 10_000},
    "digits": {"train": 1_297, "test": 500},
}
