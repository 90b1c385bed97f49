"""What a user's own file may define, and with what: `from gan.own import Objective, Term, LossInputs, Networks`."""

from gan.networks.architecture import Architecture, Layer
from gan.own.kinds import Networks
from gan.training.losses import Objective
from gan.training.terms import LossInputs, Term

__all__ = ["Architecture", "Layer", "LossInputs", "Networks", "Objective", "Term"]
