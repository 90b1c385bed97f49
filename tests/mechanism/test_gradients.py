"""Which networks get a gradient."""

from gan.mechanism.gradients import gradient_flow
from gan.records.mechanism import GradientFlow


def test_gradients_flow_as_torch_has_them() -> None:
    assert gradient_flow() == GradientFlow(
        generator_in_its_step=True,
        discriminator_in_the_generators_step=True,
        generator_under_no_grad=False,
        generator_behind_detach=False,
        discriminator_behind_detach=True,
    )
