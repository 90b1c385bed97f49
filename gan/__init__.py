"""Which vanilla-GAN objective is better, and why? The study's shared package."""

from gan import machine as machine  # first of all: libraries may tie this process to one core
