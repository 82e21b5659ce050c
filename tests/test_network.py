import configparser
import dataclasses
import inspect
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from baselines.cnn.acm import ACM
from istsbench.errors import MissingWeights, WeightsError, WrongUse
from istsbench.networks.checkpoint import read_weights, save_weights
from istsbench.networks.network import Network
from istsbench.networks.recipe import Preprocessing, best_device
from istsbench.provenance import run_hash
from istsbench.registry import create, info, names
from pixelgame.segmenter import PixelGame, PixelGameWithoutMIM

SMALL = ACM(blocks=1)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return SMALL.untrained(tmp_path_factory.mktemp("weights"))


def images(*shapes):
    rng = np.random.default_rng(0)
    return [rng.uniform(0, 255, shape) for shape in shapes]


def test_any_company_gives_the_same_bits(network):
    batch = images((40, 56), (33, 47), (40, 56), (17, 90), (33, 47))
    together = list(dataclasses.replace(network, batch=3).score_many(batch))
    for image, score in zip(batch, together, strict=True):
        assert score.shape == image.shape
        np.testing.assert_array_equal(score, network.score(image))


def test_equal_shapes_are_batched_in_order(network):
    # On a CPU images go one by one; the grouping is therefore tested by itself.
    from istsbench.networks.network import _equal_shapes

    batch = images((4, 5), (4, 6), (4, 5), (4, 5), (4, 6))
    assert list(_equal_shapes(batch, 2)) == [[0, 2], [3], [1, 4]]


def test_the_map_is_the_module_on_the_prepared_image(network):
    image = images((33, 47))[0]
    module, header = network.load(network.weights)
    prepared = np.pad((image - 127.5) / 127.5, ((0, 15), (0, 1)), "edge").astype(np.float32)
    with torch.no_grad():
        logits = module(torch.from_numpy(prepared)[None, None])
    expected = torch.sigmoid(logits)[0, 0, :33, :47].numpy()
    np.testing.assert_allclose(network.score(image), expected, rtol=1e-5, atol=1e-6)


def test_a_resized_network_answers_at_the_size_of_the_image(network, tmp_path):
    tensors, header = read_weights(network.weights)
    header["preparation"]["side"] = 64
    save_weights(tmp_path / "w", tensors, header)
    image = np.zeros((50, 30))
    image[20:30, 10:20] = 255
    resized = dataclasses.replace(network, weights=tmp_path / "w").score(image)
    assert resized.shape == image.shape
    assert not np.array_equal(resized, network.score(image))


def test_preparation_there_and_back_keeps_a_smooth_image():
    image = np.add.outer(np.arange(50.0), np.arange(30.0))
    there = Preprocessing(10.0, 2.0, side=80)
    back = there.back(there(image), image.shape) * 2 + 10
    np.testing.assert_allclose(back[2:-2, 2:-2], image[2:-2, 2:-2], rtol=0, atol=0.1)


def test_scoring_leaves_torch_alone(network):
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled()
    maps = network.score_many(images((20, 20), (20, 20)))
    next(maps)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    list(maps)
    dataclasses.replace(network, blocks=1).score(images((21, 20))[0])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before[1:]


def test_on_a_cpu_one_thread_scores_and_the_others_come_back(network, monkeypatch):
    seen = []

    def outputs(self, module, inputs):
        seen.append(torch.get_num_threads())
        return {"map": module(inputs).sigmoid()}

    monkeypatch.setattr(ACM, "outputs", outputs)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        maps = network.score_many(images((20, 20), (20, 20)))
        next(maps)
        assert torch.get_num_threads() == 2
        list(maps)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]


def test_a_gpu_that_is_not_there_is_named(network, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(WrongUse, match="device is 'cuda:1', but GPUs found here: 1"):
        dataclasses.replace(network, device="cuda:1").score(np.zeros((8, 8)))
    assert best_device("cuda:0") == torch.device("cuda:0")


def test_without_weights_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path / "mine"))
    with pytest.raises(MissingWeights) as error:
        SMALL.score(np.zeros((8, 8)))
    assert str(tmp_path / "mine" / "DATASET" / "acm.safetensors") in str(error.value)
    assert "istsbench train acm --dataset nuaa --out DIR" in str(error.value)
    with pytest.raises(MissingWeights, match="nowhere"):
        dataclasses.replace(SMALL, weights=tmp_path / "nowhere").score(np.zeros((8, 8)))


def test_published_weights_are_found_by_data_set_and_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # beside the module of the method, from any folder
    monkeypatch.delenv("ISTSBENCH_WEIGHTS", raising=False)
    beside = Path(inspect.getfile(ACM)).parent / "weights" / "nuaa" / "acm.safetensors"
    assert ACM().pretrained("nuaa").weights == beside and beside.is_file()
    assert ACM().pretrained("no-such-data").weights == beside  # or those of NUAA-SIRST
    named = tmp_path / "mine" / "nuaa" / "acm.safetensors"
    named.parent.mkdir(parents=True)
    named.touch()
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path / "mine"))
    assert ACM().pretrained("nuaa").weights == named
    given = ACM(weights=beside)
    assert given.pretrained("nuaa") is given


def test_weights_may_be_named_by_their_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTSBENCH_WEIGHTS", str(tmp_path))
    shipped = ACM().pretrained("synthetic").weights
    named = create("acm", weights="synthetic")
    assert named.pretrained("nuaa").weights == shipped
    image = np.random.default_rng(0).uniform(0, 255, (32, 40))
    assert np.array_equal(named.score(image), ACM(weights=shipped).score(image))
    assert run_hash(named, "nuaa") == run_hash(ACM(weights=shipped), "nuaa")
    with pytest.raises(MissingWeights, match="'nuas' are neither a file nor a data set") as error:
        create("acm", weights="nuas").pretrained("nuaa")
    assert str(tmp_path / "nuas" / "acm.safetensors") in str(error.value)
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)  # a file goes before a data set that is called alike
    assert create("acm", weights="here").pretrained("nuaa").weights == Path("here")


def test_published_weights_travel_with_the_code_and_tell_what_they_are():
    """In the package data, with their training told; together under 20 MB."""
    root, size = Path(__file__).parents[1], 0
    data = configparser.ConfigParser()
    data.read(root / "setup.cfg")
    for name in names():
        cls = info(name)
        if not issubclass(cls, Network):
            continue
        package = cls.__module__.rpartition(".")[0]
        assert "weights/*/*.safetensors" in data["options.package_data"][package]
        for path in Path(inspect.getfile(cls)).parent.glob(f"weights/*/{name}.safetensors"):
            header = cls(weights=path).load(path)[1]
            plan = header["plan"]
            final = plan["split"] == "trainval"
            assert final or plan["split"] == "train"
            folder = plan["dataset"] + ("-final" if final else "")
            assert (plan["method"], folder) == (name, path.parent.name)
            assert header["command"].startswith(f"istsbench train {name} --dataset")
            assert header["images"] and plan["seed"] >= 0
            log = pd.read_csv(root / "results" / "weights" / folder / f"{name}.csv")
            assert len(log) >= plan["epoch"] >= 1
            assert bool(header["scores"]) == (not final)
            assert log.columns.str.startswith("val_").any() == (not final)
            assert header["command"].endswith(" --final") == final
            size += path.stat().st_size
    assert 0 < size < 20e6


def test_weights_of_another_architecture_are_refused(network):
    other = dataclasses.replace(network, blocks=2)
    with pytest.raises(WeightsError, match="'blocks': 1.*'blocks': 2"):
        other.score(np.zeros((8, 8)))
    with pytest.raises(WeightsError, match="ACM"):
        PixelGame(weights=network.weights).score(np.zeros((8, 8)))


def test_a_player_without_attention_is_the_same_network_under_both_names(tmp_path):
    made = PixelGameWithoutMIM(width=8).untrained(tmp_path)
    same = PixelGame(width=8, attention="none", weights=made.weights)
    image = images((20, 24))[0]
    np.testing.assert_array_equal(same.score(image), made.score(image))


def test_damaged_and_pickled_files_are_refused(network, tmp_path):
    whole = network.weights.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pickled").write_bytes(pickle.dumps({"weights": 1}))
    for name in ("cut", "pickled"):
        with pytest.raises(WeightsError, match=name):
            dataclasses.replace(network, weights=tmp_path / name).score(np.zeros((8, 8)))


def test_a_file_that_changed_is_read_again(tmp_path):
    network = SMALL.untrained(tmp_path)
    image = images((20, 24))[0]
    first = network.score(image)
    other = SMALL.untrained(tmp_path / "other", seed=1)
    network.weights.write_bytes(other.weights.read_bytes())
    np.testing.assert_array_equal(network.score(image), other.score(image))
    assert not np.array_equal(first, network.score(image))


def test_weight_files_keep_half_precision_only_for_large_tensors(tmp_path):
    tensors = {"kernel": np.full((2, 2), 1 / 3, np.float32), "bias": np.float32([1e-12, 1e9])}
    save_weights(tmp_path / "w", tensors, {"note": [1, "two"]})
    read, header = read_weights(tmp_path / "w")
    assert header == {"note": [1, "two"]}
    np.testing.assert_array_equal(read["bias"], tensors["bias"])
    np.testing.assert_allclose(read["kernel"], 1 / 3, rtol=1e-3, atol=0)
    assert {value.dtype for value in read.values()} == {np.dtype(np.float32)}
