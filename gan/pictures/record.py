"""reports/strips/<variant>.json: what the picture of the same name shows. The stage `publish` writes both."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Strip:
    """A picture whose rows are the `epochs` of one run, ascending, and whose columns are the same latents in each.

    All images are squares of `side` pixels, without a margin. `epochs` is empty if the run has kept no generator; the
    picture has one black row then.
    """

    variant: str
    seed: int
    data: str
    side: int
    columns: int
    epochs: list[int]
