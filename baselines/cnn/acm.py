"""ACM: a deep and a shallow feature map weigh each other before they are added.

What a deep map knows (where a target is likely) and what a shallow map sees (where its
edge lies) pass through two asymmetric gates: the pooled deep map weighs the channels of
the shallow one, the shallow map weighs every pixel of the deep one. A small residual
network carries this on a U-Net or an FPN.

Dai, Wu, Zhou & Barnard, "Asymmetric contextual modulation for infrared small target
detection", WACV 2021, 949-958.

Kept as published: maps are resized with the first and last cells on the corner pixels
(`align_corners=True`). At a quarter of the size that lies up to 1.5 pixels further out than
with cells in the middle of their pixels: top left at one end, bottom right at the other.

Departs: one grey channel instead of three equal ones (`channels=3` has the authors' count
of weights); standardised with the training set's mean and deviation; the bias of the last
layer starts at a prior of 1 in 400; `blocks=3` is the paper's ResNet-20, the released
weights have 4 and the full-resolution stem ("tiny"). In the recipe "paper" images are
squared to 512, the weight decay is part of the gradient that Adagrad scales (the authors'
framework adds it unscaled), and Adagrad's epsilon is 1e-10 beside the root (theirs: 1e-7
below it).
Checked against: every tensor shape of the authors' released parameters (through the
counts 516,869 and 518,413) and two public PyTorch ports.
"""

from dataclasses import dataclass

from istsbench.networks.network import Network
from istsbench.networks.recipe import Recipe
from istsbench.segmenter import Card, parameter


@dataclass(frozen=True)
class ACM(Network):
    card = Card("ACM", "cnn", "WACV", 2021, "10.1109/WACV48630.2021.00099", "paper")
    multiple = 16
    recipes = {
        # the authors' public code; their best epoch on the test set is not chosen here
        "paper": Recipe(
            300, 8, 0.05, 480, "iou", "adagrad", "constant", 1e-4,
            side=512, centred=0.0, turns="mirror", rescale=2.0, blur=1.0,
        ),
        # At native size the median target is a single cell of the decoder's grid.
        "fast": Recipe(epochs=100, batch=8, lr=2e-3, patch=256, loss="bce-iou", side=512),
    }  # fmt: skip

    host: str = parameter("unet", 'or "fpn"')
    blocks: int = parameter(3, "residual blocks a stage; ResNet-20 as in the paper")
    stem: str = parameter("down4", 'first map at a quarter of the size; "tiny" keeps the size')
    channels: int = parameter(1, "input channels, copies of the grey image")

    def build(self):
        from baselines.cnn.acm_net import FPN, UNet

        hosts = {"unet": UNet, "fpn": FPN}
        if self.host not in hosts:
            raise ValueError(f"host is {self.host!r}, expected 'unet' or 'fpn'")
        return hosts[self.host](self.channels, self.blocks, self.stem)

    def learner(self, module, recipe):
        from baselines.cnn.losses import find
        from istsbench.networks.learner import SupervisedLearner

        return SupervisedLearner(module, recipe, find(recipe.loss))
