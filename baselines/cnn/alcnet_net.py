"""The modules of ALCNet; see `alcnet` for the idea and the sources."""

import torch
from torch import Tensor, nn

from baselines.cnn.acm_net import Encoder, resize
from baselines.cnn.blocks import conv_norm, head, initialise

SHIFTS = (13, 17)  # cells of the feature map's own grid, the same at every scale
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))  # one of each pair of opposites


def patch_contrast(x: Tensor, shift: int) -> Tensor:
    """The least product of differences to two opposite neighbours, (N, C, h, w).

    Large where a cell differs with one sign from both of its neighbours in every
    direction, that is on bright or dark spots; neighbours wrap around at the borders.
    """
    products = []
    for rows, columns in DIRECTIONS:
        ahead = torch.roll(x, (rows * shift, columns * shift), (2, 3))
        behind = torch.roll(x, (-rows * shift, -columns * shift), (2, 3))
        products.append((ahead - x) * (behind - x))
    return torch.stack(products).amin(0)


def multiscale_contrast(x: Tensor) -> Tensor:
    return torch.maximum(*(patch_contrast(x, shift) for shift in SHIFTS))


class LocalModulation(nn.Module):
    """Bottom-up local attention: the shallow map gates the deep one, then both are added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deep = nn.BatchNorm2d(width)
        self.shallow = nn.BatchNorm2d(width)
        self.gate = nn.Sequential(
            nn.Conv2d(width, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
            nn.BatchNorm2d(width),
            nn.Sigmoid(),
        )

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        shallow = self.shallow(shallow)
        return self.gate(shallow) * self.deep(deep) + shallow


class ContrastNet(nn.Module):
    def __init__(self, channels: int, blocks: int, stem: str) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = Encoder(channels, blocks, stem)
        self.reduce3 = conv_norm(64, 16, 1)
        self.reduce2 = conv_norm(32, 16, 1)
        self.fuse2 = LocalModulation(16)
        self.fuse1 = LocalModulation(16)
        self.head = head(16)
        initialise(self, self.head[-1])

    def forward(self, x: Tensor) -> Tensor:
        c1, c2, c3 = self.encoder(x.expand(-1, self.channels, -1, -1))
        p3 = self.reduce3(multiscale_contrast(c3))
        p2 = self.reduce2(multiscale_contrast(c2))
        p1 = multiscale_contrast(c1)
        f2 = self.fuse2(resize(p3, p2.shape[2:]), p2)
        f1 = self.fuse1(resize(f2, p1.shape[2:]), p1)
        return resize(self.head(f1), x.shape[2:])
