"""Feature maps of trained players, for figures: what each layer answers most strongly to.

As in Fig. 2 and 6 of the paper a layer is shown by its most responsive channel: the one
with the largest response, away from the border, where the zeros around the image answer.
"""

import numpy as np
import torch

from istsbench.networks.recipe import Preprocessing
from istsbench.segmenter import Image, Map
from pixelgame.segmenter import PixelGame


def _strongest(features: torch.Tensor) -> Map:
    magnitude = features[0].float().abs()
    top, left = (side // 10 for side in magnitude.shape[1:])
    inner = magnitude[:, top : magnitude.shape[1] - top, left : magnitude.shape[2] - left]
    return magnitude[inner.amax((1, 2)).argmax()].numpy().astype(np.float64)


def layers(method: PixelGame, image: Image, player: str = "fns") -> dict[str, Map]:
    """The encoder layers "x1", "x2", .. and the attention outputs "m2", "m3", .. of a player.

    `player` is "fns" or "fps". Maps are (H, W) at the size of the network's input.
    """
    module, header = method.load(method.weights_file())
    network = getattr(module, player)
    found: dict[str, Map] = {}

    def keep(name: str):
        return lambda part, inputs, output: found.__setitem__(name, _strongest(output))

    for k, layer in enumerate(network.encoder, 1):
        layer.register_forward_hook(keep(f"x{k}"))
    for k, skip in enumerate(network.skips, 2):
        skip.register_forward_hook(keep(f"m{k}"))
    preprocessing = Preprocessing(**header["preparation"])
    with torch.inference_mode():
        network(torch.from_numpy(preprocessing(image))[None, None])
    return {name: found[name] for name in sorted(found, key=lambda n: (n[0] != "x", int(n[1:])))}
