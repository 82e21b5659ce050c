"""What ACM and ALCNet share: the residual encoder, the head, the initialisation."""

import math

from torch import Tensor, nn

PRIOR = -6.0  # bias of the last layer: at the start 1 pixel in 400 is taken for a target


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """ReLU(conv-BN-ReLU-conv-BN + shortcut); the shortcut is a 1x1 convolution if it must."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *conv_norm(inputs, outputs, 3, stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if inputs != outputs or stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.main(x) + self.shortcut(x))


def stage(inputs: int, outputs: int, stride: int, blocks: int) -> nn.Sequential:
    """Residual blocks, the first of which changes width and size."""
    rest = (Residual(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(Residual(inputs, outputs, stride), *rest)


def head(width: int) -> nn.Sequential:
    """From features to one logit map."""
    return nn.Sequential(
        *conv_norm(width, width // 4), nn.Dropout(0.1), nn.Conv2d(width // 4, 1, 1)
    )


def initialise(network: nn.Module, last: nn.Conv2d) -> None:
    """MXNet's MSRAPrelu, as the authors: Gaussian by mean fan and slope 0.25, biases 0.

    The bias of the last layer starts at the prior instead, near the share of target pixels,
    and its weights are not small. Otherwise all of them turn negative together to bring the
    mean down, and then, on features that are never negative, no pixel rises above the bias.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            fan = part.weight[0, 0].numel() * (part.in_channels + part.out_channels) / 2
            nn.init.normal_(part.weight, std=math.sqrt(2 / (1 + 0.25**2) / fan))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    nn.init.constant_(last.bias, PRIOR)
