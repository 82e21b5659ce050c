"""MDvsFA-cGAN: two generators, one against misses and one against false alarms.

Each generator weighs missed targets or false alarms a hundred times the other; a
discriminator that has to tell the truth and the two generators' masks apart pulls both
towards masks that look real, and a consistency term pulls its features of the two
together. The mean of the two masks is the answer.

Wang, Zhou & Wang, "Miss detection vs. false alarm: adversarial learning for small object
segmentation in infrared images", ICCV 2019, 8508-8517.

Two public versions by the authors differ. Taken from the PyTorch one: ordinary batch norm
and biases (the TensorFlow one mixes w0 x + w1 BN(x) and keeps the batch's statistics at
test time), and lambda2 = 10 (there 1). Taken from the TensorFlow one: the start near the
identity. Kept as published: the discriminator's scores pass a softmax *and* are then read
as logits by the log loss, so that its loss cannot fall below 0.567.
Departs: in the recipe "paper" the rates fall by 5 after each third of the training for both
generators (a slip in the code lets the second generator's fall twice), in "fast" they follow
half a cosine; the discriminator's stays in both. "fast" is also "tempered": what the
discriminator says weighs a hundredth of what is published, with which the second generator of
the slim network answered 0 everywhere after 10 epochs on NUAA-SIRST (results/pixelgame_study.md);
at full width only the second was trained here. The gradient of the clamp that ends each generator
lives on where it leads back into [0, 1].
Checked against: the counts of the PyTorch networks, 3,138,497 + 629,825 + 151,276
weights, and the 868.75 G operations printed by followers.
"""

from dataclasses import dataclass

from istsbench.networks.network import Network
from istsbench.networks.recipe import Preprocessing, Recipe
from istsbench.segmenter import Card, parameter


@dataclass(frozen=True)
class MDvsFA(Network):
    card = Card("MDvsFA-cGAN", "cnn", "ICCV", 2019, "10.1109/ICCV.2019.00860", "paper")
    preprocessing = Preprocessing(127.5, 127.5)  # grey levels to -1..1
    recipes = {
        "paper": Recipe(
            30, 10, 1e-4, 128, "published", schedule="steps", centred=0.0, turns="none"
        ),
        "fast": Recipe(epochs=200, batch=8, lr=1e-4, patch=128, loss="tempered"),
    }

    width: int = parameter(
        64, "channels of the second generator; the first has 1 to 8 times as many"
    )

    def build(self):
        from baselines.cnn.mdvsfa_net import Generators

        return Generators(self.width)

    def learner(self, module, recipe):
        from baselines.cnn.mdvsfa_net import Adversaries

        return Adversaries(module, recipe)

    def outputs(self, module, inputs):
        misses, alarms = module.masks(inputs)
        return {"fusion": (misses + alarms) / 2, "misses": misses, "alarms": alarms}


@dataclass(frozen=True)
class SlimMDvsFA(MDvsFA):
    """A quarter of the width, 0.2 M weights: what a CPU can train."""

    card = Card("MDvsFA-cGAN (slim)", "cnn", "ICCV", 2019, "10.1109/ICCV.2019.00860", "paper")
    recipes = {
        **MDvsFA.recipes,
        "fast": Recipe(epochs=50, batch=8, lr=5e-4, patch=128, loss="tempered"),
    }

    width: int = 16
