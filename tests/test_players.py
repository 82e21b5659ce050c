import numpy as np
import pytest
import torch

from pixelgame.features import layers
from pixelgame.players import ATTENTIONS, FDCN, GC, MIM, PRIOR, SE, Players, Triplet
from pixelgame.segmenter import PixelGame, PixelGameWithoutMIM, SlimPixelGame


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    "attention, both, fns, fps",
    [
        ("mim", 1_685_482, 1_223_082, 462_400),
        ("none", 1_629_890, 1_184_385, 445_505),
        ("se", 1_638_594, None, None),
        ("gc", 1_640_142, None, None),
        ("triplet", 1_632_290, None, None),
    ],
)
def test_weights_are_as_many_as_the_paper_and_the_authors_of_the_attentions(
    attention, both, fns, fps
):
    players = PixelGame(attention=attention).build()
    assert count(players) == both
    if fns:
        assert (count(players.fns), count(players.fps)) == (fns, fps)


@pytest.mark.parametrize(
    "module, expected", [(SE(64), 512), (SE(128), 2048), (GC(64), 653), (GC(128), 2329)]
)
def test_attention_counts(module, expected):
    assert count(module) == expected
    assert count(Triplet(64)) == count(Triplet(128)) == 300


def test_dilations_are_those_of_table_ii():
    def dilations(network):
        return [layer[0].dilation[0] for layer in [*network.encoder, *network.decoder]]

    assert dilations(FDCN(4, 8, "none")) == [1, 2, 4, 8, 16, 8, 4, 2, 1]
    assert dilations(FDCN(6, 8, "none")) == [1, 2, 4, 8, 16, 32, 64, 32, 16, 8, 4, 2, 1]


def test_mim_by_hand():
    """With zero weights in the channel branch, M2 is 1/C; M3 is the sigmoid of the maximum."""
    module = MIM(8).eval()
    torch.nn.init.zeros_(module.channel[3].weight)
    torch.nn.init.zeros_(module.channel[3].bias)
    x = torch.randn(2, 8, 5, 6)
    expected = (1 / 8 + x.max(1, keepdim=True).values.sigmoid()) * x
    torch.testing.assert_close(module(x), expected)


def test_mim_sees_the_whole_image():
    torch.manual_seed(0)
    module = MIM(8).eval()
    x = torch.randn(1, 8, 9, 9, requires_grad=True)
    module(x)[0, :, 0, 0].sum().backward()
    assert x.grad[0, :, 8, 8].abs().sum() > 0


def test_triplet_attention_equals_its_definition():
    torch.manual_seed(0)
    module = Triplet(6).eval()
    x = torch.randn(2, 6, 5, 7)

    def branch(gate, y):  # (N, A, B, C): pooled over A
        pooled = torch.cat([y.max(1, keepdim=True).values, y.mean(1, keepdim=True)], 1)
        return y * gate(pooled).sigmoid()

    first, second, third = module.gates
    expected = (
        branch(first, x.permute(0, 2, 1, 3)).permute(0, 2, 1, 3)
        + branch(second, x.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)
        + branch(third, x)
    ) / 3
    torch.testing.assert_close(module(x), expected)


def test_global_context_starts_as_the_identity():
    x = torch.randn(2, 32, 5, 6)
    torch.testing.assert_close(GC(32)(x), x)


def test_skips_join_layers_of_equal_dilation_except_the_first():
    """The attention on x_k reaches the decoder at z_k, k = 2..n."""
    network = FDCN(4, 4, "none").eval()
    for layer in network.decoder:  # z_k = 0, so what is left is x_k, then z_(k-1) = 0 again
        torch.nn.init.zeros_(layer[0].weight)
        torch.nn.init.zeros_(layer[0].bias)
    inputs = []
    for layer in network.decoder:
        layer.register_forward_pre_hook(lambda part, given: inputs.append(given[0]))
    features = []
    for layer in network.encoder:
        layer.register_forward_hook(lambda part, given, output: features.append(output))
    out = network(torch.randn(1, 1, 12, 12))
    for given, expected in zip(inputs, (features[k] for k in (4, 3, 2, 1)), strict=True):
        torch.testing.assert_close(given, expected)
    torch.testing.assert_close(out, torch.full_like(out, PRIOR))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_weight_learns(attention):
    torch.manual_seed(0)
    players = Players(8, attention).train()
    players(torch.randn(2, 1, 20, 24)).pow(2).mean().backward()
    assert [name for name, p in players.named_parameters() if p.grad is None] == []


def test_the_outcome_is_the_mean_of_the_logits_and_decides_like_the_mean():
    torch.manual_seed(0)
    network = PixelGame(width=8)
    players = network.build().eval()
    with torch.no_grad():
        players.fns.head.bias += 6  # so that the players disagree
        x = 20 * torch.randn(1, 1, 30, 30)
        first, second = players.logits(x)
        outputs = network.outputs(players, x)
        torch.testing.assert_close(players(x).sigmoid(), outputs["fusion"])
    mean = (first.double().sigmoid() + second.double().sigmoid()) / 2
    assert list(outputs) == ["fusion", "fns", "fps"]
    assert torch.equal(outputs["fusion"] > 0.5, mean > 0.5)


def test_features_are_shown_by_their_strongest_channel(tmp_path):
    method = PixelGame(width=8).untrained(tmp_path)
    image = np.random.default_rng(0).uniform(0, 255, (20, 24))
    found = layers(method, image, "fps")
    assert list(found) == [f"x{k}" for k in range(1, 8)] + [f"m{k}" for k in range(2, 7)]
    module, _ = method.load(method.weights)
    inputs = torch.from_numpy(((image - 127.5) / 127.5).astype(np.float32))[None, None]
    x1 = module.fps.encoder[0](inputs)[0].abs().numpy()
    best = max(x1, key=lambda channel: channel[2:18, 2:22].max())
    np.testing.assert_allclose(found["x1"], best, rtol=1e-5, atol=1e-6)


def test_variants_are_fields():
    assert PixelGameWithoutMIM().architecture() == PixelGame(attention="none").architecture()
    assert SlimPixelGame().architecture() == PixelGame(width=32).architecture()
    with pytest.raises(ValueError, match="attention is 'cbam', expected one of mim"):
        PixelGame(attention="cbam").build()
