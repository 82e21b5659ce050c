"""The players: two fully dilated networks, and the attention in their skips.

FDCN(2n+1) is x_1 .. x_(n+1), z_n .. z_1, all 3x3 convolutions with batch norm and leaky
ReLU at full resolution, with dilations 1, 2, .., 2^n and back. For k from 2 to n the
decoder map is z_k + m(x_k), with m the maximum information modulation (MIM) or another
attention. The FNs-player is FDCN9 (n = 4), the FPs-player FDCN13 (n = 6).

The slope of the leaky ReLU, the squeeze of MIM and the places of MIM are not in the
paper: 0.1, 4 and Algorithm 1's k give its counts of 1.69 M weights and 273.15 G
operations (FDCN9 at 480x480 without MIM, bias, norm and activation counted).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from istsbench.networks.kernels import fits

SLOPE = 0.1  # of the leaky ReLU
PRIOR = -4.0  # bias of the last layer: a start of 2 % targets; from 0 sparse targets are not found
NOISE = 0.05  # deviation of the weights around the identity


def norm_act(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE, inplace=True)


class MIM(nn.Module):
    """Maximum information modulation (Eq. 4-11): M2 X + M3 X.

    M2 weighs channels, from a spatially attended mean and the spatial maximum of each; M3
    weighs pixels, from the maximum over channels.
    """

    def __init__(self, channels: int, squeeze: int = 4) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 1)
        self.position = nn.Sequential(nn.Conv2d(channels, 1, 1), *norm_act(1))
        self.channel = nn.Sequential(
            nn.Conv2d(2 * channels, hidden, 1),
            *norm_act(hidden),
            nn.Conv2d(hidden, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        if fits(x):
            return self._in_few_passes(x)
        where = self.position(x).flatten(1).softmax(1)  # (N, hw)
        v1 = torch.einsum("nchw,nhw->nc", x, where.view(-1, *x.shape[2:]).to(x.dtype))
        v2 = x.amax((2, 3)).sigmoid()
        m2 = self.channel(torch.cat([v1, v2], 1)[:, :, None, None]).softmax(1)
        m3 = x.amax(1, keepdim=True).sigmoid()
        return (m2 + m3) * x

    def _in_few_passes(self, x: Tensor) -> Tensor:
        """The same on a CPU, where memory is the limit."""
        from pixelgame.kernels import Gather, Modulate, Survey

        weigh, *rest = self.position
        sums, over_channels, over_pixels = Survey.apply(x, weigh.weight.flatten())
        answer = (sums + weigh.bias).view(-1, 1, *x.shape[2:])
        for layer in rest:
            answer = layer(answer)
        v1, v2 = Gather.apply(x, answer.flatten(1).softmax(1)), over_pixels.sigmoid()
        m2 = self.channel(torch.cat([v1, v2], 1)[:, :, None, None]).softmax(1)
        return Modulate.apply(x, m2.flatten(1), over_channels.sigmoid())


class SE(nn.Module):
    """Squeeze and excitation (Hu, Shen & Sun 2018), without biases."""

    def __init__(self, channels: int, squeeze: int = 16) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x) * x


class GC(nn.Module):
    """Global context (Cao et al. 2019): attention pooling, added to every position."""

    def __init__(self, channels: int, squeeze: int = 16) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 1)
        self.position = nn.Conv2d(channels, 1, 1)
        self.transform = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.LayerNorm([hidden, 1, 1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
        )
        nn.init.kaiming_normal_(self.position.weight, mode="fan_in")
        nn.init.zeros_(self.transform[-1].weight)
        nn.init.zeros_(self.transform[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        where = self.position(x).flatten(1).softmax(1)
        context = torch.einsum("nchw,nhw->nc", x, where.view(-1, *x.shape[2:]).to(x.dtype))
        return x + self.transform(context[:, :, None, None])


class Triplet(nn.Module):
    """Triplet attention (Misra et al. 2021): a gate over each pair of the three axes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1, momentum=0.01)
            )
            for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for gate, axes in zip(self.gates, ((0, 2, 1, 3), (0, 3, 2, 1), (0, 1, 2, 3)), strict=True):
            turned = x.permute(axes)  # each order is its own inverse
            pooled = torch.stack([turned.amax(1), turned.mean(1)], 1)
            total = total + (turned * gate(pooled).sigmoid()).permute(axes)
        return total / 3


ATTENTIONS: dict[str, Callable[[int], nn.Module]] = {
    "mim": MIM,
    "se": SE,
    "gc": GC,
    "triplet": Triplet,
    "none": lambda channels: nn.Identity(),  # plain addition, "w/o MIM"
}


class FDCN(nn.Module):
    """A fully dilated network of 2n+1 layers; (N, 1, h, w) to logits of the same size."""

    def __init__(self, n: int, channels: int, attention: str) -> None:
        super().__init__()
        if attention not in ATTENTIONS:
            known = ", ".join(ATTENTIONS)
            raise ValueError(f"attention is {attention!r}, expected one of {known}")
        self.encoder = nn.ModuleList(
            _layer(channels if k else 1, channels, 2**k) for k in range(n + 1)
        )
        self.decoder = nn.ModuleList(_layer(channels, channels, 2**k) for k in reversed(range(n)))
        self.skips = nn.ModuleList(ATTENTIONS[attention](channels) for _ in range(n - 1))
        self.head = nn.Conv2d(channels, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, PRIOR)

    def forward(self, x: Tensor) -> Tensor:
        features = []
        for layer in self.encoder:
            x = layer(x)
            features.append(x)
        for k, layer in zip(reversed(range(len(self.decoder))), self.decoder, strict=True):
            x = layer(x)
            if k:  # all but z_1
                x = x + self.skips[k - 1](features[k])
        return self.head(x)


def _layer(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    with torch.no_grad():
        identity(conv.weight)
        conv.bias.zero_()
    return nn.Sequential(conv, *norm_act(outputs))


def identity(weight: Tensor) -> None:
    """Small noise, and a centre that passes each channel on (Yu & Koltun 2016)."""
    weight.normal_(std=NOISE)
    channels = torch.arange(min(weight.shape[:2]), device=weight.device)
    weight[channels, channels, 1, 1] = 1


class Players(nn.Module):
    """Both players; `forward` is the game's outcome, the mean of their logits."""

    def __init__(self, width: int, attention: str) -> None:
        super().__init__()
        self.fns = FDCN(4, width, attention)
        self.fps = FDCN(6, width // 2, attention)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the FNs-player and of the FPs-player, (N, 1, h, w) each."""
        return self.fns(x), self.fps(x)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.logits(x)
        return (first + second) / 2
