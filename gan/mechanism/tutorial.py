"""The tutorial's training loop in plain torch, one run at a time: the engine is measured and tested against it."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import VisionDataset

LATENT_DIM, PIXELS, BATCH_SIZE, LEARNING_RATE = 100, 28 * 28, 64, 2e-4


class Digits(VisionDataset):
    """Images from memory in the form of torchvision.datasets.MNIST: a transformed PIL image and its label."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        scaled = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        super().__init__(root="", transform=scaled)
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self._images[index], int(self._labels[index])
        assert self.transform is not None
        return self.transform(Image.fromarray(image.numpy(), mode="L")), label


def generator() -> nn.Module:
    """Latents `[batch, latent]` to images `[batch, pixel]` in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(LATENT_DIM, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, PIXELS), nn.Tanh()
    )


def discriminator() -> nn.Module:
    """Images `[batch, pixel]` to probabilities `[batch, 1]`."""
    return nn.Sequential(
        nn.Linear(PIXELS, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 1),
        nn.Sigmoid(),
    )


class Tutorial:
    """Two networks, two Adams, BCELoss and the step that the tutorial prints (claim T4)."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._generator_adam = optim.Adam(generator.parameters(), lr=LEARNING_RATE)
        self._discriminator_adam = optim.Adam(discriminator.parameters(), lr=LEARNING_RATE)
        self._criterion = nn.BCELoss()

    def step(
        self, real: Tensor, latents: Tensor, *, minimax: bool = False, freeze: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Both losses of one step on real images `[batch, pixel]` and latents `[batch, latent]`.

        With `freeze` the discriminator's parameters need no gradient in the generator's half (claim T6).
        """
        ones = torch.ones(len(real), 1, dtype=real.dtype).to(real.device)
        zeros = torch.zeros(len(real), 1, dtype=real.dtype).to(real.device)

        fake = self.generator(latents)
        real_loss = self._criterion(self.discriminator(real), ones)
        discriminator_loss = real_loss + self._criterion(self.discriminator(fake.detach()), zeros)
        self._discriminator_adam.zero_grad()
        discriminator_loss.backward()
        self._discriminator_adam.step()

        self.discriminator.requires_grad_(not freeze)
        probabilities = self.discriminator(fake)
        generator_loss = -self._criterion(probabilities, zeros) if minimax else self._criterion(probabilities, ones)
        self._generator_adam.zero_grad()
        generator_loss.backward()
        self.discriminator.requires_grad_(True)
        self._generator_adam.step()
        return discriminator_loss.detach(), generator_loss.detach()


def train(images: Tensor, labels: Tensor, epochs: int, device: torch.device | str) -> Tutorial:
    """The tutorial's training of one run on images `[image, height, width]` of bytes."""
    loader: DataLoader[Any] = DataLoader(Digits(images, labels), batch_size=BATCH_SIZE, shuffle=True)
    tutorial = Tutorial(generator().to(device), discriminator().to(device))
    for _ in range(epochs):
        for real, _ in loader:
            flat = real.view(-1, PIXELS).to(device)
            tutorial.step(flat, torch.randn(len(flat), LATENT_DIM).to(device))
    return tutorial
