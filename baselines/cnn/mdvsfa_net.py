"""The modules of MDvsFA-cGAN and its adversarial training; see `mdvsfa`."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from istsbench.networks.learner import Learner
from istsbench.networks.recipe import Recipe

SLOPE = 0.2  # of the leaky ReLU
DILATIONS = (1, 1, 2, 4, 8, 4, 2, 1)  # first generator
WIDTHS = (1, 1, 2, 4, 8, 4, 2, 1)  # its channels in units of `width`
DEPTH = 6  # second generator: dilations 1, 2, .., 2^6 and back
MISSES, ALARMS = 100.0, 10.0  # lambda1, lambda2: weight of the generator's own error
WEIGHT, ADVERSARY = 100.0, 10.0  # of a generator's errors and of the discriminator's verdict
SHARES = {"published": 1.0, "tempered": 0.01}  # of what the discriminator says, by the loss's name


def _layer(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    with torch.no_grad():
        conv.weight.normal_(std=0.05)
        conv.bias.zero_()
        step = max(inputs, outputs) // min(inputs, outputs)
        narrow = torch.arange(min(inputs, outputs), device=conv.weight.device)
        if inputs > outputs:
            conv.weight[narrow, narrow * step, 1, 1] = step
        else:
            conv.weight[narrow * step, narrow, 1, 1] = 1
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE, inplace=True))


class Clamp(torch.autograd.Function):
    """clamp(x, 0, 1) whose gradient survives outside where a step along it leads back."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, slope: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        stuck = ((x < 0) & (slope > 0)) | ((x > 1) & (slope < 0))
        return slope.masked_fill(stuck, 0)


class Plain(nn.Module):
    """The generator against misses: dilated layers in a row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [1, *(width * factor for factor in WIDTHS)]
        self.layers = nn.Sequential(
            *(_layer(*sizes[k : k + 2], dilation) for k, dilation in enumerate(DILATIONS))
        )
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return Clamp.apply(self.head(self.layers(x)).float())


class Skipping(nn.Module):
    """The generator against false alarms: dilated layers whose outputs are joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_layer(width if k else 1, width, 2**k) for k in range(DEPTH + 1))
        self.up = nn.ModuleList(
            _layer(width if k == DEPTH - 1 else 2 * width, width, 2**k)
            for k in reversed(range(DEPTH))
        )
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        x = self.up[0](x)
        for k, layer in zip(reversed(range(1, DEPTH)), self.up[1:], strict=True):
            x = layer(torch.cat([kept[k], x], 1))
        return Clamp.apply(self.head(x).float())


class Generators(nn.Module):
    """Both generators; `forward` is the mean of their masks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.misses = Plain(width)
        self.alarms = Skipping(width)

    def masks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.misses(x), self.alarms(x)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.masks(x)
        return (first + second) / 2


class Discriminator(nn.Module):
    """Image and mask to the scores of three classes: true, first and second generator.

    It takes patches of one size, `patch` pixels a side.
    """

    def __init__(self, patch: int = 128) -> None:
        super().__init__()
        act = nn.LeakyReLU(SLOPE, inplace=True)
        sizes = (2, 24, 24, 24, 1)
        self.features = nn.Sequential(
            nn.MaxPool2d(2),
            nn.MaxPool2d(2),
            *(
                nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), act)
                for i, o in zip(sizes, sizes[1:], strict=False)
            ),
        )
        self.scores = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear((patch // 4) ** 2, 128), nn.BatchNorm1d(128), nn.Tanh()),
            *(nn.Linear(128, 64), nn.BatchNorm1d(64), nn.Tanh()),
            *(nn.Linear(64, 3), nn.BatchNorm1d(3), nn.Softmax(1)),
        )

    def forward(self, images: Tensor, masks: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The scores (N, 3) and feature maps (N, 1, 32, 32) of each of several masks."""
        pairs = torch.cat([torch.cat([images, 2 * mask - 1], 1) for mask in masks])
        features = self.features(pairs)
        return list(self.scores(features).chunk(len(masks))), list(features.chunk(len(masks)))


class Adversaries(Learner):
    """One step each for the discriminator and, after it, for the two generators in turn.

    Whoever does not move is in evaluation mode, as in the authors' PyTorch code.
    """

    def __init__(self, module: Generators, recipe: Recipe) -> None:
        super().__init__(module, recipe)
        if recipe.loss not in SHARES:
            raise ValueError(f"loss is {recipe.loss!r}, expected one of {', '.join(SHARES)}")
        self.share = SHARES[recipe.loss]
        self.judge = Discriminator(recipe.patch).to(next(module.parameters()).device)
        self.modules["discriminator"] = self.judge
        betas = (0.5, 0.999)
        self.optimizers = {
            "misses": self.optimizer(module.misses.parameters(), betas=betas),
            "alarms": self.optimizer(module.alarms.parameters(), betas=betas),
            "discriminator": self.optimizer(
                self.judge.parameters(), lr=recipe.lr / 10, betas=betas
            ),
        }

    def networks(self) -> list[nn.Module]:
        return [self.module.misses, self.module.alarms, self.judge]

    def rate(self, name: str, progress: float) -> float:
        return 1.0 if name == "discriminator" else super().rate(name, progress)

    def _moving(self, mover: nn.Module) -> None:
        for network in self.networks():
            network.train(network is mover)

    def step(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, Tensor]:
        first, second = self.module.misses, self.module.alarms
        self._moving(self.judge)
        with self.cast(images):
            with torch.no_grad():
                fakes = [first(images), second(images)]
            verdicts, _ = self.judge(images, [masks, *fakes])
        loss = torch.stack([verdict(scores, kind) for kind, scores in enumerate(verdicts)]).sum()
        self.descend("discriminator", loss)
        shown = {"discriminator_loss": loss.detach()}

        self._moving(first)
        with self.cast(images):
            answers = first(images), fakes[1]
        shown |= self._move("misses", images, masks, answers)
        self._moving(second)
        with self.cast(images):
            with torch.no_grad():
                answered = first(images)
            answers = answered, second(images)
        return shown | self._move("alarms", images, masks, answers)

    def _move(
        self, name: str, images: Tensor, masks: Tensor, answers: tuple[Tensor, Tensor]
    ) -> dict[str, Tensor]:
        own = answers[0] if name == "misses" else answers[1]
        error = (own - masks) ** 2
        missed, alarms = (error * masks).mean(), (error * (1 - masks)).mean()
        own_aim = MISSES * missed + alarms if name == "misses" else missed + ALARMS * alarms
        with self.cast(images):
            verdicts, features = self.judge(images, list(answers))
        adversary = verdict(verdicts[0 if name == "misses" else 1], 0)
        consistency = (features[0].float() - features[1].float()).pow(2).mean()
        loss = WEIGHT * own_aim + self.share * (ADVERSARY * adversary + consistency)
        self.descend(name, loss)
        return {
            f"{name}_utility": loss.detach(),
            f"{name}_missed": missed.detach(),
            f"{name}_alarms": alarms.detach(),
        }


def verdict(scores: Tensor, kind: int) -> Tensor:
    """The log loss of the (softmaxed) scores, read as logits, against one class."""
    wanted = torch.zeros_like(scores)
    wanted[:, kind] = 1
    return binary_cross_entropy_with_logits(scores.float(), wanted.float())
