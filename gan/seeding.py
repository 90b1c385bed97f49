"""Streams of random numbers: one per seed and purpose, independent of all others."""

import hashlib

import torch


def random_generator(seed: int | str, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """The stream that a seed uses for one purpose, whatever else is drawn."""
    digest = hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big", signed=True))
