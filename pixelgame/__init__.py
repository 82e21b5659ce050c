"""pixelGame: two networks that play a game over every pixel (Zhou et al., arXiv 2205.13124)."""
