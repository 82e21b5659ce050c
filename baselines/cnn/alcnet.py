"""ALCNet: local contrast, the traditional cue for small targets, inside a network.

The feature maps of a residual trunk pass through a fixed layer that is large only where
a cell differs from both of two opposite neighbours in every direction (MPCM on features,
shifts 13 and 17). The three scales are joined from deep to shallow, the shallow map
gating the deep one.

Dai, Wu, Zhou & Barnard, "Attentional local contrast networks for infrared small target
detection", IEEE TGRS 59(11), 9813-9824 (2021).

Kept as published: maps are resized with aligned corners, as in ACM.

Departs: one grey channel instead of three equal ones; standardised with the training
set's mean and deviation; the bias of the last layer starts at a prior of 1 in 400. Images
under 72 pixels are padded, with the stem "down4" under 288: the deepest map needs 18 cells,
for in one of 17 a shift by 17 comes back to the same cell. In the recipe "paper" images are
squared to 512, the weight decay is part of the gradient that Adagrad scales (the authors'
framework adds it unscaled), and Adagrad's epsilon is 1e-10 beside the root (theirs: 1e-7
below it).
Checked against: every tensor shape of the authors' released parameters (372,573
trainable with three channels). A widely used port of the same name has no local contrast
layer and is another network.
"""

from dataclasses import dataclass

from istsbench.networks.network import Network
from istsbench.networks.recipe import Recipe
from istsbench.segmenter import Card, parameter


@dataclass(frozen=True)
class ALCNet(Network):
    card = Card("ALCNet", "cnn", "TGRS", 2021, "10.1109/TGRS.2020.3044958", "paper")
    multiple = 16
    recipes = {
        "paper": Recipe(
            300, 8, 0.1, 480, "iou", "adagrad", "constant", 1e-4,
            side=512, centred=0.0, turns="mirror", rescale=2.0, blur=1.0,
        ),
        "fast": Recipe(epochs=300, batch=8, lr=2e-3, patch=256, loss="bce-iou"),
    }  # fmt: skip

    blocks: int = parameter(4, "residual blocks a stage, as in the authors' released weights")
    stem: str = parameter("tiny", 'full resolution, as the authors; "down4" is ACM\'s stem')
    channels: int = parameter(1, "input channels, copies of the grey image")

    @property
    def smallest(self):
        return 18 * (16 if self.stem == "down4" else 4)  # pixels a cell of the deepest map

    def build(self):
        from baselines.cnn.alcnet_net import ContrastNet

        return ContrastNet(self.channels, self.blocks, self.stem)

    def learner(self, module, recipe):
        from baselines.cnn.losses import find
        from istsbench.networks.learner import SupervisedLearner

        return SupervisedLearner(module, recipe, find(recipe.loss))
