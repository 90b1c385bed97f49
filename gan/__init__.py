"""Which vanilla-GAN objective is better, and why? The study's shared package."""
