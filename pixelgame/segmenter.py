"""pixelGame: misses and false alarms are lowered by two players that compete.

One network, the FNs-player, is to miss nothing; another, the FPs-player, is to raise no
false alarm. Each is trained by a utility of its own, which sees the other's errors, and
their mean is the answer: a pixel is a target where o1 + o2 > 1. Both keep full
resolution (dilated convolutions), and an attention to maxima (MIM) sits in their skips.

Zhou, Tian, Zhang, Li, Xie & Li, "pixelGame: infrared small target segmentation as a
Nash equilibrium", arXiv 2205.13124 (2022).

Departs: the mean is taken of the logits. The decision is the same as for the mean of
the probabilities, but does not stick at 1/2 where one player is saturated. The default
utility ("balanced", see `utility`) replaces the printed one, under which one player marks
everything and the other nothing. The bias of the last layers starts at a prior of 2 %.
Checked against: the paper's 1.69 M weights and 273.15 G operations, both exactly.
"""

from dataclasses import dataclass

from istsbench.networks.network import Network
from istsbench.networks.recipe import Recipe
from istsbench.segmenter import Card, parameter

FAST = Recipe(epochs=400, batch=8, lr=1e-3, patch=256, loss="balanced")


@dataclass(frozen=True)
class PixelGame(Network):
    card = Card("pixelGame", "game", "arXiv", 2022, "10.48550/arXiv.2205.13124", "paper")
    recipes = {
        # Section IV-A; 70 epochs for NUST-SIRST; the slope and the sampling are not stated
        "paper": Recipe(
            400, 8, 1e-5, 480, "paper", "adam", "constant", side=512, centred=0.0, turns="none"
        ),
        "fast": FAST,
    }

    width: int = parameter(128, "channels of the FNs-player, the FPs-player has half (Table II)")
    attention: str = parameter("mim", 'in the skips; "se", "gc", "triplet" (Table VII) or "none"')

    def build(self):
        from pixelgame.players import Players

        return Players(self.width, self.attention)

    def learner(self, module, recipe):
        from pixelgame.game import Game

        return Game(module, recipe)

    def outputs(self, module, inputs):
        first, second = (part.float() for part in module.logits(inputs))
        return {
            "fusion": ((first + second) / 2).sigmoid(),
            "fns": first.sigmoid(),
            "fps": second.sigmoid(),
        }

    def counted_apart(self):
        from pixelgame.players import FDCN

        return {"FNs-player without MIM": FDCN(4, self.width, "none")}


@dataclass(frozen=True)
class PixelGameWithoutMIM(PixelGame):
    """Plain addition in the skips: the paper's baseline."""

    card = Card("pixelGame (w/o MIM)", "game", "arXiv", 2022, "10.48550/arXiv.2205.13124", "paper")

    attention: str = "none"


@dataclass(frozen=True)
class SlimPixelGame(PixelGame):
    """A quarter of the width, 0.1 M weights: what a CPU can train."""

    card = Card("pixelGame (slim)", "game", "arXiv", 2022, "10.48550/arXiv.2205.13124", "paper")
    recipes = {
        **PixelGame.recipes,
        "fast": Recipe(epochs=100, batch=8, lr=2e-3, patch=128, loss="balanced", centred=0.7),
    }

    width: int = 32
