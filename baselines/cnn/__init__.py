"""Convolutional baselines trained on the same data as pixelGame."""
