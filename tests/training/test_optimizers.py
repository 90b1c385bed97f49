"""The optimizers against torch's own, step by step."""

import pytest
import torch

from gan.study.recipe import OPTIMIZERS as NAMES
from gan.study.recipe import Adam, Sgd
from gan.training.optimizers import OPTIMIZERS

CASES = [
    (Adam(name="adam", lr=2e-4, betas=(0.9, 0.999), eps=1e-8), torch.optim.Adam),
    (Adam(name="adam", lr=1e-2, betas=(0.5, 0.9), eps=1e-3), torch.optim.Adam),
    (Sgd(name="sgd", lr=1e-2, momentum=0.0), torch.optim.SGD),
    (Sgd(name="sgd", lr=1e-2, momentum=0.9), torch.optim.SGD),
]


@pytest.mark.parametrize(("settings", "reference"), CASES)
def test_steps_equal_torchs(settings: Adam | Sgd, reference: type[torch.optim.Optimizer]) -> None:
    mine = torch.randn(3, 64, dtype=torch.float64)
    theirs = mine.clone().requires_grad_()
    gradient = torch.zeros_like(mine)
    optimizer = OPTIMIZERS[settings.name](mine, gradient, [settings] * 3)
    oracle = reference([theirs], fused=True, **settings.model_dump(exclude={"name"}))
    for _ in range(5):
        gradient.copy_(torch.randn(3, 64, dtype=torch.float64))
        theirs.grad = gradient.clone()
        optimizer.step()
        oracle.step()
        assert torch.equal(mine, theirs.detach())


def test_every_name_of_params_yaml_is_known() -> None:
    assert set(OPTIMIZERS) == set(NAMES)


def test_state_is_all_that_is_remembered() -> None:
    """Parameters and state carried over, the next step is the same: a run can be stopped and taken up again."""
    settings = CASES[0][0]
    parameters, gradient = torch.randn(2, 64), torch.randn(2, 64)
    first = OPTIMIZERS["adam"](parameters, gradient, [settings] * 2)
    for _ in range(3):
        first.step()
    other = parameters.clone()
    second = OPTIMIZERS["adam"](other, gradient, [settings] * 2)
    for name, tensor in first.state.items():
        second.state[name].copy_(tensor)
    first.step()
    second.step()
    assert torch.equal(parameters, other)
