import dataclasses
import shlex

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from toys import few
from typer.testing import CliRunner

from baselines.cnn.acm import ACM
from baselines.cnn.mdvsfa import MDvsFA
from istsbench.cli import app
from istsbench.data.samples import Dataset, Sample
from istsbench.errors import Diverged, Stopped, WrongUse
from istsbench.networks import patches as crops
from istsbench.networks import training
from istsbench.networks.checkpoint import PIECE, read_checkpoint, read_weights, save_checkpoint
from istsbench.networks.history import draw_history
from istsbench.networks.learner import SupervisedLearner
from istsbench.networks.network import Network
from istsbench.networks.patches import Memory, cut, epoch_batches, steps_in_epoch
from istsbench.networks.planning import fit_recipe
from istsbench.networks.recipe import Preprocessing, Recipe
from istsbench.networks.training import train
from istsbench.registry import info, names
from pixelgame.segmenter import PixelGame

QUICK = {"patch": 32, "batch": 2, "side": 64}
LARGE = {**QUICK, "patch": 288}  # cut down to the size of the images
KEPT = ("best.safetensors", "last.safetensors")


@pytest.fixture(scope="module")
def toy():
    """A data set whose test images cannot be loaded."""
    return few(train=5, val=2, test=0)


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(
    "network", [ACM(blocks=1), PixelGame(width=4), MDvsFA(width=1)], ids=lambda n: n.card.label
)
def test_a_training_in_pieces_equals_one_without_a_break(network, toy, tmp_path):
    train(network, toy, tmp_path / "whole", epochs=3, **QUICK)
    for _ in range(3):
        train(network, toy, tmp_path / "pieces", epochs=3, max_minutes=0, **QUICK)
    whole, pieces = (read_checkpoint(tmp_path / name) for name in ("whole", "pieces"))
    same(whole[0], pieces[0])
    logs = [pd.read_csv(tmp_path / name / "log.csv") for name in ("whole", "pieces")]
    pd.testing.assert_frame_equal(*(log.drop(columns="seconds") for log in logs))
    assert len(logs[0]) == 3
    for name in ("best.safetensors", "last.safetensors"):
        same(*(read_weights(tmp_path / run / name)[0] for run in ("whole", "pieces")))


def test_it_learns_four_images_by_heart(toy, tmp_path):
    four = toy.splits["train"][:4]
    small = dataclasses.replace(toy, splits={"train": four, "val": four})
    recipe = Recipe(epochs=60, batch=4, lr=1e-2, patch=64, loss="bce-iou")
    train(ACM(blocks=1, stem="tiny"), small, tmp_path, recipe, precision="fp32")
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["val_map_f1_pooled"].iloc[0] < 0.1
    assert log["val_map_f1_pooled"].max() > 0.4
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_file_kept_is_the_best_on_validation(toy, tmp_path):
    trained = train(ACM(blocks=1), toy, tmp_path, epochs=4, **QUICK)
    assert trained.weights == tmp_path / "best.safetensors"
    header = read_weights(trained.weights)[1]
    log = pd.read_csv(tmp_path / "log.csv").set_index("epoch")
    best = log["val_map_iou_pooled"].idxmax()
    assert header["plan"]["epoch"] == best
    assert header["scores"]["val_map_iou_pooled"] == log["val_map_iou_pooled"][best]
    assert header["plan"]["split"] == "train" and header["versions"]["numpy"]
    assert trained.score(np.zeros((20, 30))).shape == (20, 30)


def test_validation_is_as_often_as_asked(toy, tmp_path):
    train(PixelGame(width=4), toy, tmp_path, epochs=5, validations=2, **QUICK)
    log = pd.read_csv(tmp_path / "log.csv")
    assert list(log["epoch"][log["val_fusion_iou_pooled"].notna()]) == [2, 4, 5]


def test_final_training_takes_all_images_over_the_whole_schedule(toy, tmp_path):
    first = train(ACM(blocks=1), toy, tmp_path, epochs=3, seed=4, **QUICK)
    chosen = read_weights(first.weights)[1]["plan"]
    final = train(ACM(blocks=1), toy, tmp_path, final=True)
    plan = read_weights(final.weights)[1]["plan"]
    assert final.weights == tmp_path / "final" / "last.safetensors"
    assert plan["epoch"] == 3 and plan["seed"] == 4
    assert plan["recipe"] == chosen["recipe"]
    assert plan["split"] == "trainval" and plan["fingerprint"] != chosen["fingerprint"]


def test_final_training_needs_a_finished_one(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=2, max_minutes=0, **QUICK)
    with pytest.raises(Stopped, match="is not finished"):
        train(ACM(blocks=1), toy, tmp_path, final=True)


def test_final_training_is_of_the_same_kind(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=1, precision="fp32", **LARGE)
    other = dataclasses.replace(toy, name="other")
    for network, data, options, named in (
        (PixelGame(width=4), toy, {}, "'pixelgame'"),
        (ACM(blocks=2), toy, {}, "'blocks': 2"),
        (ACM(blocks=1), other, {}, "'other'"),
        (ACM(blocks=1), toy, {"recipe": "paper", **QUICK}, "'optimizer': 'adagrad'"),
        (ACM(blocks=1), toy, {"lr": 0.5}, "'lr': 0.5"),
        (ACM(blocks=1), toy, {"seed": 1}, "'seed': .0, 1."),
        (ACM(blocks=1), toy, {"precision": "bf16"}, "'bf16'"),
    ):
        with pytest.raises(Stopped, match=f"another training.*{named}"):
            train(network, data, tmp_path, final=True, **options)
    # The same options as before are no others, even a patch that was cut down.
    train(ACM(blocks=1), toy, tmp_path, "fast", final=True, epochs=1, precision="fp32", **LARGE)


def test_a_final_training_may_begin_with_other_weights_if_the_first_one_did(toy, tmp_path):
    first, other = (ACM(blocks=1).untrained(tmp_path / name, seed).weights
                    for name, seed in (("a", 0), ("b", 1)))  # fmt: skip
    train(ACM(blocks=1), toy, tmp_path, epochs=1, start=first, **QUICK)
    final = train(ACM(blocks=1), toy, tmp_path, final=True, start=other)
    told = read_weights(final.weights)[1]["plan"]["start"]
    assert told != read_weights(tmp_path / "last.safetensors")[1]["plan"]["start"]
    with pytest.raises(Stopped, match="another training.*'start'"):
        train(ACM(blocks=1), toy, tmp_path, final=True)
    train(ACM(blocks=1), toy, tmp_path / "random", epochs=1, **QUICK)
    with pytest.raises(Stopped, match="another training.*'start'"):
        train(ACM(blocks=1), toy, tmp_path / "random", final=True, start=other)


def test_running_means_are_kept_and_validated_and_go_on_after_a_break(toy, tmp_path):
    options = {"epochs": 3, "precision": "fp32", "average": 0.9, **QUICK}
    for name in ("plain", "whole", "pieces"):
        given = {**options, "average": 0.0} if name == "plain" else options
        for _ in range(3 if name == "pieces" else 1):
            limit = 0 if name == "pieces" else None
            trained = train(ACM(blocks=1), toy, tmp_path / name, max_minutes=limit, **given)
    logs = {name: pd.read_csv(tmp_path / name / "log.csv") for name in ("plain", "whole")}
    assert logs["plain"]["loss"].equals(logs["whole"]["loss"])  # the weights move as without
    found, plain = (read_weights(tmp_path / n / "last.safetensors")[0] for n in ("whole", "plain"))
    same(found, read_weights(tmp_path / "pieces" / "last.safetensors")[0])
    kept = read_checkpoint(tmp_path / "whole")[0]
    for name, tensor in found.items():
        mean = kept[f"module/mean/module.{name}"]
        np.testing.assert_allclose(tensor, mean, rtol=1e-3, atol=1e-7)
        assert tensor.ndim == 0 or not np.array_equal(tensor, plain[name])
        if tensor.ndim == 0:  # how many batches a norm has seen
            assert tensor == plain[name] > 1
    image = np.random.default_rng(0).uniform(0, 255, (64, 64))
    assert not np.array_equal(trained.score(image), np.zeros((64, 64)))


def test_a_running_mean_follows_the_weights():
    module = torch.nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    recipe = Recipe(epochs=1, batch=2, lr=1.0, patch=32, loss="bce", average=0.75)
    learner = SupervisedLearner(module, recipe, lambda logits, masks: logits.mean())
    expected = 0.0
    for step in range(40):
        module.weight.data.fill_(step + 1.0)
        learner.remember()
        share = min(0.75, (1 + step) / (10 + step))
        expected = step + 1.0 if step == 0 else share * expected + (1 - share) * (step + 1.0)
    assert float(learner.answering.weight.detach()) == pytest.approx(expected, abs=1e-4)
    assert learner.answering is not module


def test_a_folder_with_another_training_is_refused(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    with pytest.raises(Stopped, match="'lr': 0.5"):
        train(ACM(blocks=1), toy, tmp_path, epochs=1, lr=0.5, **QUICK)
    train(ACM(blocks=1), toy, tmp_path, epochs=2, lr=0.5, resume=False, max_minutes=0, **QUICK)
    assert not (tmp_path / "last.safetensors").exists()  # of the training that was given up


def test_a_checkpoint_from_before_a_recipe_had_a_field_goes_on(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=2, max_minutes=0, **QUICK)
    tensors, state = read_checkpoint(tmp_path)
    del state["plan"]["recipe"]["images"]
    save_checkpoint(tmp_path, tensors, state)
    train(ACM(blocks=1), toy, tmp_path, epochs=2, **QUICK)
    assert len(pd.read_csv(tmp_path / "log.csv")) == 2


def test_weights_without_a_checkpoint_are_not_thrown_away(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    before = {name: (tmp_path / name).read_bytes() for name in KEPT}
    for path in tmp_path.glob("checkpoint*"):
        path.unlink()
    with pytest.raises(Stopped, match="best.safetensors, last.safetensors but no checkpoint"):
        train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    assert {name: (tmp_path / name).read_bytes() for name in KEPT} == before


def stop_in_epoch(monkeypatch, number):
    whole = training._Run.epoch

    def interrupted(run, epoch):
        if epoch == number:
            raise KeyboardInterrupt
        return whole(run, epoch)

    monkeypatch.setattr(training._Run, "epoch", interrupted)


def test_a_training_begun_anew_and_stopped_at_once_keeps_the_weights(toy, tmp_path, monkeypatch):
    old = {"epochs": 1, **QUICK}
    train(ACM(blocks=1), toy, tmp_path, **old)
    train(ACM(blocks=1), toy, tmp_path, final=True)
    stale = tmp_path / "final" / "last.safetensors"
    before = {name: (tmp_path / name).read_bytes() for name in KEPT}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_in_epoch(patched, 0)
        train(ACM(blocks=1), toy, tmp_path, epochs=2, lr=0.5, resume=False, **QUICK)
    assert {name: (tmp_path / name).read_bytes() for name in KEPT} == before and stale.exists()
    with pytest.raises(Stopped, match="another training"):  # the one given up does not come back
        train(ACM(blocks=1), toy, tmp_path, **old)
    train(ACM(blocks=1), toy, tmp_path, epochs=2, lr=0.5, max_minutes=0, **QUICK)
    assert not (tmp_path / "last.safetensors").exists() and not stale.exists()
    assert read_weights(tmp_path / "best.safetensors")[1]["plan"]["recipe"]["lr"] == 0.5


def test_a_training_stopped_before_its_first_checkpoint_goes_on(toy, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_in_epoch(patched, 1)
        train(ACM(blocks=1), toy, tmp_path / "cut", epochs=2, **QUICK)
    assert (tmp_path / "cut" / "best.safetensors").exists()
    for name in ("cut", "whole"):
        train(ACM(blocks=1), toy, tmp_path / name, epochs=2, **QUICK)
    same(*(read_checkpoint(tmp_path / name)[0] for name in ("cut", "whole")))


def test_without_validation_images_the_last_weights_are_kept(toy, tmp_path):
    splits = {"train": toy.splits["train"], "test": ()}
    alone = dataclasses.replace(toy, splits=splits)
    trained = train(ACM(blocks=1), alone, tmp_path, epochs=2, **QUICK)
    assert trained.weights == tmp_path / "last.safetensors"
    assert not (tmp_path / "best.safetensors").exists()
    assert list(pd.read_csv(tmp_path / "log.csv")) == ["epoch", "loss", "complaints", "seconds"]


def test_the_answer_of_the_network_chooses_the_epoch(toy, tmp_path, monkeypatch):
    """Not the first output whose name ends alike."""
    monkeypatch.setattr(training, "epoch_scores", lambda outputs, masks: {
        "other_map_iou_pooled": 0.1, "map_iou_pooled": 0.2
    })  # fmt: skip
    train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    assert read_checkpoint(tmp_path)[1]["course"]["best"] == {"epoch": 1, "score": 0.2}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch": 1}, "a batch is 1 of 5 images"),
        ({"patch": 41}, "patch is 41, expected a multiple of 16"),
        ({"loss": "oops"}, "loss is 'oops', expected one of iou, "),
        ({"precision": "fp16"}, "precision is 'fp16', expected one of fp32, bf16"),
        ({"lr": -1.0}, "lr is -1.0, expected more than 0"),
        ({"seed": -1}, "seed is -1, expected 0 or more"),
        ({"epochs": 0}, "epochs is 0, expected 1 or more"),
        ({"validations": 0}, "validations is 0, expected 1 or more"),
        ({"recipe": "slow"}, "no recipe 'slow' for ACM; it has: paper, fast"),
    ],
)
def test_what_cannot_be_trained_is_named(toy, tmp_path, options, message):
    with pytest.raises(Stopped) as error:
        train(ACM(blocks=1), toy, tmp_path, **{**QUICK, **options})
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count, message", [(0, "no images"), (1, "a batch is 1 of 1 images")])
def test_too_few_training_images_are_named(toy, tmp_path, count, message):
    splits = {**toy.splits, "train": toy.splits["train"][:count]}
    with pytest.raises(Stopped, match=message):
        train(ACM(blocks=1), dataclasses.replace(toy, splits=splits), tmp_path, **QUICK)


def test_test_images_are_not_trained_on(toy, tmp_path):
    splits = {**toy.splits, "test": toy.splits["train"][:1]}
    with pytest.raises(Stopped, match="1 of 5 images of the split train of synthetic are test"):
        train(ACM(blocks=1), dataclasses.replace(toy, splits=splits), tmp_path, **QUICK)


def test_a_finished_training_is_left_as_it_is(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    before = (tmp_path / "last.safetensors").read_bytes()
    train(ACM(blocks=1), toy, tmp_path, epochs=1, **QUICK)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert len(pd.read_csv(tmp_path / "log.csv")) == 1


def test_numbers_that_run_away_stop_the_training(toy, tmp_path):
    with pytest.raises(Diverged, match="diverged in epoch 1: loss is nan; .* of 0 epochs or fewer"):
        train(ACM(blocks=1), toy, tmp_path, epochs=2, lr=1e30, **QUICK)


def test_every_network_has_both_recipes():
    networks = [name for name in names() if name in REGISTERED]
    assert len(networks) == len(REGISTERED)
    for name in networks:
        kind = info(name)
        assert issubclass(kind, Network)
        assert {"paper", "fast"} <= kind.recipes.keys()


REGISTERED = {
    *("acm", "alcnet", "mdvsfa", "mdvsfa-slim"),
    *("pixelgame", "pixelgame-womim", "pixelgame-slim"),
}


# ---------------------------------------------------------------------- the command


def train_by_command(*words):
    found = CliRunner().invoke(app, ["train", *map(str, words), "--dataset", "toy"])
    return found.exit_code, found.stderr


@pytest.fixture
def named(toy, monkeypatch):
    monkeypatch.setattr("istsbench.data.datasets.open_dataset", lambda *given: toy)


def test_of_several_processes_the_first_one_speaks(named, tmp_path, monkeypatch):
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--side", 64)
    monkeypatch.setenv("RANK", "1")
    code, said = train_by_command(*words, "--batch", 2)
    assert code == 0 and "done" not in said and "time is over" not in said


def test_a_training_without_validation_images_has_one_panel():
    losses = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})
    scored = losses.assign(val_map_f1_pooled=[np.nan, 0.5])
    widths = [cv2.imdecode(np.frombuffer(draw_history(log), np.uint8), 0).shape[1]
              for log in (losses, scored)]  # fmt: skip
    assert widths == [500, 1000]


def test_the_command_trains_at_a_side_and_then_finally(named, tmp_path):
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--batch", 2)
    code, said = train_by_command(*words, "--side", 64)
    assert code == 0 and f"done: {tmp_path / 'best.safetensors'}" in said
    header = read_weights(tmp_path / "best.safetensors")[1]
    assert header["plan"]["recipe"]["side"] == header["preparation"]["side"] == 64
    code, said = train_by_command("acm(blocks=1)", "--out", tmp_path, "--final")
    assert code == 0 and f"done: {tmp_path / 'final' / 'last.safetensors'}" in said, said


def test_any_field_of_a_recipe_is_set_and_is_in_the_command(named, tmp_path):
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--batch", 2)
    code, said = train_by_command(*words, "--set", "centred=0.9,side=null", "--set", "turns=none")
    assert code == 0, said
    header = read_weights(tmp_path / "last.safetensors")[1]
    recipe = header["plan"]["recipe"]
    assert (recipe["centred"], recipe["side"], recipe["turns"]) == (0.9, None, "none")
    assert "--patch 32 --set side=null,centred=0.9,turns=none --seed 0" in header["command"]
    again = shlex.split(header["command"])[2:]
    again[again.index("DIR")] = str(tmp_path)
    again[again.index("synthetic")] = "toy"
    assert CliRunner().invoke(app, ["train", *again]).exit_code == 0  # it is the same training


@pytest.mark.parametrize(
    "text, said",
    [
        ("oops=1", "a recipe has no 'oops'; it has: epochs, batch"),
        ("centred", "centred is '', expected a finite number"),
        ("batch=2.5", "batch is 2.5, expected a whole number"),
        ("lr=null", "lr is None, expected a finite number"),
        ("side=big", "side is 'big', expected a whole number or null"),
        ("turns=1", "turns is 1, expected a name"),
        ("lr=1,lr=2", "lr is given twice"),
        ("epochs=2", "epochs is given twice, by --epochs and by --set"),
        ("centred=1.5", "centred is 1.5, expected 0..1"),
        ("average=1", "average is 1.0, expected 0 or more and less than 1"),
        ("turns=round", "turns is 'round', expected one of all, mirror, none"),
        ("rescale=0.5", "rescale is 0.5, expected 1..8"),
        ("jitter=0", "jitter is 0.0, expected 1..8"),
        ("blur=-1", "blur is -1.0, expected 0..32"),
        ("weight_decay=NaN", "weight_decay is nan, expected a finite number"),
        ("lr=1e400", "lr is inf, expected a finite number"),
        ("blur=1e6", "blur is 1000000.0, expected 0..32"),
        ("side=8", "side is 8, expected 16 or more"),
        ("patch=8", "patch is 8, expected 16 or more"),
        ("schedule=linear", "schedule is 'linear', expected 'constant', 'cosine' or 'steps'"),
        (",", "a recipe has no ''"),
    ],
)
def test_a_field_that_is_not_of_a_recipe_is_refused(named, tmp_path, text, said):
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--set", text)
    code, told = train_by_command(*words)
    assert code == 2 and said in told and told.count("\n") == 1, told
    assert not (tmp_path / "checkpoint.json").exists()


def test_numbers_are_those_of_the_field_and_none_is_no_change_but_of_the_size(toy, tmp_path):
    given = {"weight_decay": 0, "centred": np.float32(1), "patch": np.int64(32), "lr": None}
    trained = train(ACM(blocks=1), toy, tmp_path, **{**QUICK, "epochs": 1, "side": None, **given})
    recipe = read_weights(trained.weights)[1]["plan"]["recipe"]
    assert recipe["side"] is None and recipe["lr"] == ACM().recipes["fast"].lr
    kinds = [type(recipe[name]) for name in ("weight_decay", "centred", "patch")]
    assert kinds == [float, float, int]
    for wrong in ({"average": "0.9"}, {"bogus": 1}, {"turns": ["all"]}, {"epochs": 1.5}):
        with pytest.raises(WrongUse, match="expected|has no 'bogus'"):
            train(ACM(blocks=1), toy, tmp_path / "wrong", **{**QUICK, **wrong})
    assert not (tmp_path / "wrong").exists()


def test_errors_of_the_command_take_one_line(named, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--side", 64)
    for wrong, message in (
        (("--loss", "oops"), "error: loss is 'oops'"),
        (("--device", "cuda"), "error: device is 'cuda', but GPUs found here: 0"),
        (("--lr", -1), "error: lr is -1.0"),
    ):
        code, said = train_by_command(*words, *wrong)
        assert code == 2 and said.startswith(message) and said.count("\n") == 1, said


def test_a_training_that_diverges_is_no_wrong_use(named, tmp_path):
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--side", 64)
    code, said = train_by_command(*words, "--batch", 2, "--lr", "1e30")
    assert code == 1 and said.startswith("error: the training diverged in epoch 1: loss is nan")


def test_ctrl_c_says_from_where_it_goes_on(named, tmp_path, monkeypatch):
    stop_in_epoch(monkeypatch, 0)
    words = ("acm(blocks=1)", "--out", tmp_path, "--epochs", 1, "--patch", 32, "--side", 64)
    code, said = train_by_command(*words)
    assert code == 130 and "kept up to the last checkpoint" in said


# ---------------------------------------------------------------------- checkpoints


def test_a_checkpoint_comes_in_small_pieces_and_replaces_the_last(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {str(i): rng.normal(size=(2**18 * 5,)).astype(np.float32) for i in range(4)}
    tensors["count"] = np.array(3)
    save_checkpoint(tmp_path, {"0": tensors["0"]}, {"epoch": 1})
    save_checkpoint(tmp_path, tensors, {"epoch": 2})
    pieces = list(tmp_path.glob("*.safetensors"))
    assert len(pieces) == 2
    assert max(path.stat().st_size for path in pieces) < PIECE + 4096
    found, state = read_checkpoint(tmp_path)
    assert state == {"epoch": 2}
    same(found, tensors)
    assert found["count"].shape == ()


def test_a_crash_while_saving_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    import istsbench.networks.checkpoint as module

    save_checkpoint(tmp_path, {"a": np.ones(3)}, {"epoch": 1})
    write = module.write_atomic

    def crash(path, data):
        if path.name == module.INDEX:
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(module, "write_atomic", crash)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, {"a": np.zeros(3)}, {"epoch": 2})
    found, state = read_checkpoint(tmp_path)
    assert state == {"epoch": 1}
    np.testing.assert_array_equal(found["a"], 1)


# ---------------------------------------------------------------------- patches

RECIPE = Recipe(1, 2, 1e-3, 16, "iou", centred=1.0)
PLAIN = Preprocessing(0.0, 1.0)


def scene(shape=(40, 30)):
    mask = np.zeros(shape, np.uint8)
    mask[33:35, 3:6] = 1
    return mask * 200 + np.arange(shape[1], dtype=np.uint8), mask


def test_a_patch_lies_on_a_target_and_its_mask_turns_with_it():
    image, mask = scene()
    for seed in range(40):
        patch, truth = cut(image, mask, RECIPE, PLAIN, np.random.default_rng(seed))
        assert patch.shape == truth.shape == (16, 16)
        assert truth.sum() > 0
        np.testing.assert_array_equal(truth > 0, patch >= 200)


def test_patches_differ_and_cover_the_image():
    image, mask = scene()
    anywhere = dataclasses.replace(RECIPE, centred=0.0, turns="none")
    seen = np.zeros(256, bool)
    for seed in range(40):
        patch, _ = cut(image, mask, anywhere, PLAIN, np.random.default_rng(seed))
        seen[np.unique(patch).astype(int)] = True
    assert seen[:30].all()


def test_what_lies_outside_a_small_image_is_zero():
    image, mask = scene((36, 10))
    still = dataclasses.replace(RECIPE, turns="none", patch=40)
    patch, truth = cut(image, mask, still, Preprocessing(50.0, 2.0), np.random.default_rng(0))
    np.testing.assert_allclose(patch[:36, :10], (image - 50.0) / 2, rtol=1e-6, atol=1e-6)
    assert not patch[36:].any() and not patch[:, 10:].any() and not truth[36:].any()


def test_ranks_share_the_batches_of_one(toy):
    memory = Memory.of(toy, toy.names("train"))
    recipe = dataclasses.replace(RECIPE, batch=4)
    one = list(epoch_batches(memory, recipe, PLAIN, seed=3, epoch=1))
    halves = [list(epoch_batches(memory, recipe, PLAIN, 3, 1, rank, 2)) for rank in (0, 1)]
    assert len(one) == steps_in_epoch(memory, recipe) == 1
    np.testing.assert_array_equal(one[0][0::2], halves[0][0])
    np.testing.assert_array_equal(one[0][1::2], halves[1][0])
    other = next(epoch_batches(memory, recipe, PLAIN, seed=3, epoch=2))
    assert not np.array_equal(one[0], other)


def test_short_epochs_see_every_image_in_its_turn():
    memory = Memory(
        [np.full((8, 8), level, np.uint8) for level in range(5)], [np.zeros((8, 8))] * 5, ""
    )
    recipe = dataclasses.replace(RECIPE, patch=8, batch=2, images=2)
    assert steps_in_epoch(memory, recipe) == 1
    plain = Preprocessing(0.0, 1.0)
    seen = [
        int(patch[0, 0, 0])
        for epoch in range(5)
        for batch in epoch_batches(memory, recipe, plain, seed=3, epoch=epoch)
        for patch in batch
    ]
    assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))
    assert seen[:5] != seen[5:]
    all_of_them = dataclasses.replace(recipe, images=9, batch=5)
    whole = next(epoch_batches(memory, all_of_them, plain, seed=3, epoch=0))
    assert list(whole[:, 0, 0, 0]) == seen[:5]


def test_short_epochs_are_in_the_command_and_the_plan(toy, tmp_path):
    train(ACM(blocks=1), toy, tmp_path, epochs=2, images=2, **QUICK)
    header = read_weights(tmp_path / "last.safetensors")[1]
    assert header["plan"]["recipe"]["images"] == 2 and "--images 2" in header["command"]
    with pytest.raises(Stopped, match="images is 1, expected 2 or more"):
        train(ACM(blocks=1), toy, tmp_path / "one", epochs=1, images=1, **QUICK)


def test_a_jitter_is_a_gain_and_a_shift_of_what_lies_inside_the_image():
    image = np.random.default_rng(0).integers(0, 256, (20, 40)).astype(np.uint8)
    mask = (image > 250).astype(np.uint8)
    still = dataclasses.replace(RECIPE, patch=32, turns="none", centred=0.0)
    moving, plain = dataclasses.replace(still, jitter=1.5), Preprocessing(100.0, 50.0)
    gains, shifts = [], []
    for seed in range(200):
        one, other = (
            cut(image, mask, recipe, plain, np.random.default_rng(seed))
            for recipe in (still, moving)
        )
        gain, shift = np.polyfit(one[0, :20].ravel(), other[0, :20].ravel(), 1)
        np.testing.assert_allclose(other[0, :20], gain * one[0, :20] + shift, rtol=0, atol=1e-5)
        assert np.array_equal(one[1], other[1]) and not other[0, 20:].any()
        gains.append(gain)
        shifts.append(shift)
    assert 1 / 1.5 <= min(gains) < 0.7 and 1.45 < max(gains) <= 1.5
    assert -0.5 <= min(shifts) < -0.45 and 0.45 < max(shifts) <= 0.5


def test_patches_are_no_larger_than_the_images():
    images = [np.zeros((100, 128), np.uint8)] * 19 + [np.zeros((400, 300), np.uint8)]
    recipe = fit_recipe(dataclasses.replace(RECIPE, patch=256), Memory(images[:19], (), ""))
    assert recipe.patch == 128
    assert fit_recipe(dataclasses.replace(RECIPE, patch=64), Memory(images, (), "")).patch == 64


def test_masks_are_resized_by_nearest_neighbour(toy):
    memory = Memory.of(toy, toy.names("train"), side=50)
    for image, mask in zip(memory.images, memory.masks, strict=True):
        assert image.shape == mask.shape == (50, 50)
        assert set(np.unique(mask)) <= {0, 1}


def test_deep_images_keep_their_levels():
    deep = np.linspace(0, 255, 20 * 30).reshape(20, 30)
    pictures = {"deep": deep, "eight": np.rint(deep), "high": 3 * np.rint(deep)}

    class Deep(Dataset):
        def load(self, name):
            return Sample(name, pictures[name], pictures[name] > 200)

    memory = Memory.of(Deep("deep", "Deep", {}), list(pictures))
    assert [image.dtype for image in memory.images] == [np.float32, np.uint8, np.float32]
    for image, expected in zip(memory.images, pictures.values(), strict=True):
        np.testing.assert_allclose(image, expected, rtol=1e-6, atol=0)
    assert memory.levels()[0] == pytest.approx(np.mean([127.5, 127.5, 382.5]), abs=0.01)


def test_a_weight_file_tells_its_command_and_images(toy, tmp_path):
    trained = train(ACM(blocks=1), toy, tmp_path, epochs=1, precision="fp32", seed=4, **QUICK)
    assert read_weights(trained.weights)[1]["command"] == (
        "istsbench train 'acm(blocks=1)' --dataset synthetic --epochs 1 --batch 2 --patch 32 "
        "--side 64 --seed 4 --precision fp32 --out DIR"
    )
    expected = {toy.load(name).picture for name in (*toy.splits["train"], *toy.splits["val"])}
    assert trained.learnt_from() == expected


@pytest.mark.parametrize("size", [(512, 512), (320, 256), (100, 130), (96, 96), (51, 77), (33, 40)])
def test_labels_stay_where_their_image_lies_when_both_are_resized(size):
    side = np.arange(64)
    offsets = []
    for row, column in [(20, 30), (31, 17), (9, 44)]:
        mask = ((abs(side[:, None] - row) < 6) & (abs(side - column) < 4)).astype(np.uint8)
        image = crops._resized(200 * mask, size).astype(float)
        label = crops._resized(mask, size, near=True)
        rows, columns = np.indices(label.shape)
        for places in (rows, columns):
            centre = (places * label).sum() / label.sum()
            offsets.append(centre - (places * image).sum() / image.sum())
    assert abs(np.mean(offsets)) < 0.2
    assert np.abs(offsets).max() < 0.5
