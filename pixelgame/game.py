"""The game: one step moves both players, each down the gradient of its own utility.

The moves are simultaneous (Algorithm 1): both see the other's answer to the same batch
as fixed. Since no weight belongs to two players, the gradient of the sum of the two
utilities, with the other's answer held fixed in each, moves each player by its own alone.
"""

import copy

import torch
from torch import Tensor

from istsbench.networks.learner import Learner
from istsbench.networks.recipe import Recipe
from pixelgame.players import Players
from pixelgame.utility import FNS, FPS, find

ALIVE = 1e-6  # share of pixels above 1/2 in an epoch under which a player is dead
START = 0.2  # share of the training in which a player may still be silent
RESPONSE = 5  # steps of a lone player in `diagnose`


class Game(Learner):
    """Trains `Players`; `recipe.loss` names the utility."""

    def __init__(self, module: Players, recipe: Recipe) -> None:
        super().__init__(module, recipe)
        self.terms = find(recipe.loss)
        self.optimizers = {
            FNS: self.optimizer(module.fns.parameters()),
            FPS: self.optimizer(module.fps.parameters()),
        }

    def networks(self) -> list[torch.nn.Module]:
        return [self.module.fns, self.module.fps]

    def utility(
        self, player: str, own: Tensor, other: Tensor, masks: Tensor, progress: float
    ) -> dict[str, Tensor]:
        """The terms of a player's utility by name; `other` gets no gradient."""
        return {
            name: term(player, own, other.detach(), masks, progress)
            for name, term in self.terms.items()
        }

    def step(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, Tensor]:
        with self.cast(images):
            logits = [part.float() for part in self.module.logits(images)]
        shown: dict[str, Tensor] = {}
        for player, own, other in ((FNS, *logits), (FPS, *reversed(logits))):
            terms = self.utility(player, own, other, masks, progress)
            total = torch.stack(list(terms.values())).sum()
            self.descend(player, total)
            shown |= {f"{player}_{name}": value.detach() for name, value in terms.items()}
            shown[f"{player}_utility"] = total.detach()
            shown[f"{player}_area"] = (own.detach() > 0).float().mean()
        return shown

    def complaints(self, means: dict[str, float], progress: float) -> list[str]:
        dead = [
            f"the {player}-player is dead: it marks no pixel"
            for player in (FNS, FPS)
            if progress > START and means[f"{player}_area"] < ALIVE
        ]
        return super().complaints(means, progress) + dead

    def diagnose(self, images: Tensor, masks: Tensor, progress: float) -> dict[str, float]:
        """The best-response gap: what each player could still gain with the other held fixed.

        The fall of its utility over a few steps of a copy on one batch; 0 at an equilibrium.
        """
        players = copy.deepcopy(self.module)  # a forward pass moves the statistics of the norms
        with torch.no_grad():
            fixed = [part.float() for part in players.logits(images)]
        gaps = {}
        for index, (player, lone) in enumerate(((FNS, players.fns), (FPS, players.fps))):
            optimizer = torch.optim.Adam(lone.parameters(), self.recipe.lr)
            totals = []
            for _ in range(RESPONSE + 1):
                own = lone(images).float()
                terms = self.utility(player, own, fixed[1 - index], masks, progress)
                total = torch.stack(list(terms.values())).sum()
                totals.append(float(total.detach()))
                optimizer.zero_grad()
                total.backward()
                optimizer.step()
            gaps[f"{player}_gap"] = max(totals[0] - min(totals), 0.0)
        return gaps
