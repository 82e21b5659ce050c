"""The modules of ACM; see `acm` for the idea and the sources."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from baselines.cnn.blocks import conv_norm, head, initialise, stage


def resize(x: Tensor, size: torch.Size) -> Tensor:
    """Bilinear with aligned corners, as the authors' framework does it.

    Cell i of n lands on pixel i (N-1)/(n-1) of N: the outer cells on the outer pixels.
    """
    return interpolate(x, size, mode="bilinear", align_corners=True)


class Modulation(nn.Module):
    """Asymmetric contextual modulation: each of two feature maps gates the other.

    s = 2 t(deep) shallow + 2 u(shallow) deep, with a global gate t (pooled) and a
    point-wise gate u, both bottlenecks with a sigmoid; then a 3x3 convolution.
    """

    def __init__(self, width: int, squeeze: int = 4) -> None:
        super().__init__()
        self.top_down = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_gate(width, width // squeeze))
        self.bottom_up = nn.Sequential(*_gate(width, width // squeeze))
        self.post = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        mixed = self.top_down(deep) * shallow + self.bottom_up(shallow) * deep
        return self.post(2 * mixed)


def _gate(width: int, hidden: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(width, hidden, 1),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, width, 1),
        nn.BatchNorm2d(width),
        nn.Sigmoid(),
    )


class Encoder(nn.Module):
    """The residual trunk: feature maps of width 16, 32, 64, each half the size of the last."""

    def __init__(self, channels: int, blocks: int, stem: str) -> None:
        super().__init__()
        self.input = nn.BatchNorm2d(channels, affine=False)
        self.stem = (
            conv_norm(channels, 16)
            if stem == "tiny"
            else nn.Sequential(
                conv_norm(channels, 8, stride=2),
                conv_norm(8, 8),
                conv_norm(8, 16),
                nn.MaxPool2d(3, 2, 1),
            )
        )
        self.stage1 = stage(16, 16, 1, blocks)
        self.stage2 = stage(16, 32, 2, blocks)
        self.stage3 = stage(32, 64, 2, blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c1 = self.stage1(self.stem(self.input(x)))
        c2 = self.stage2(c1)
        return c1, c2, self.stage3(c2)


class UNet(nn.Module):
    def __init__(self, channels: int, blocks: int, stem: str) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = Encoder(channels, blocks, stem)
        self.up2 = nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.fuse2 = Modulation(32)
        self.stage2 = stage(32, 32, 1, blocks)
        self.up1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.fuse1 = Modulation(16)
        self.stage1 = stage(16, 16, 1, blocks)
        self.head = head(16)
        initialise(self, self.head[-1])

    def forward(self, x: Tensor) -> Tensor:
        c1, c2, c3 = self.encoder(x.expand(-1, self.channels, -1, -1))
        u2 = self.stage2(self.fuse2(self.up2(c3), c2))
        u1 = self.stage1(self.fuse1(self.up1(u2), c1))
        return resize(self.head(u1), x.shape[2:])


class FPN(nn.Module):
    def __init__(self, channels: int, blocks: int, stem: str) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = Encoder(channels, blocks, stem)
        self.reduce2 = _reduction(64, 32)
        self.fuse2 = Modulation(32)
        self.reduce1 = _reduction(32, 16)
        self.fuse1 = Modulation(16)
        self.head = head(16)
        initialise(self, self.head[-1])

    def forward(self, x: Tensor) -> Tensor:
        c1, c2, c3 = self.encoder(x.expand(-1, self.channels, -1, -1))
        o = self.fuse2(self.reduce2(resize(c3, c2.shape[2:])), c2)
        o = self.fuse1(self.reduce1(resize(o, c1.shape[2:])), c1)
        return resize(self.head(o), x.shape[2:])


def _reduction(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
