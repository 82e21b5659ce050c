import dataclasses
import io
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from test_table_vi import COUNTS, write
from toys import make_folder
from typer.testing import CliRunner

from baselines.cnn.acm import ACM
from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import fingerprint, picture_of
from istsbench.errors import DataError, WrongUse
from istsbench.metrics import RATIOS
from istsbench.networks.checkpoint import save_weights
from istsbench.networks.training import train
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.results.seeds import averaged
from istsbench.results.trained import is_foreign
from istsbench.runs.images import Images
from istsbench.runs.learnt import training
from istsbench.runs.record import read_record
from istsbench.runs.run import new_record, run
from istsbench.segmenter import Segmenter
from istsbench.tables import latex
from istsbench.tables.choice import with_columns
from istsbench.tables.markup import PLAIN
from istsbench.tables.table_vi import table_vi

NOTE = "mean ± sample standard deviation over n = 3 trainings that differ by their seed alone"


def row(folder, seed, hits, plan="p1", base="net", **changes):
    """A row of a network with `hits` of 10 pixels right in both images."""
    counts = COUNTS.assign(tp=hits, fp=10 - hits, fn=10 - hits)
    name = f"{base}-{plan}-{seed}-{hits}"
    record = {"label": f"Net ({name})", "group": "cnn", "method_hash": name}
    record |= {"trained": {"method": base, "label": "Net", "seed": seed, "plan": plan}}
    write(folder, name, counts, **{**record, **changes})
    return name


@pytest.fixture
def three(tmp_path):
    folder = tmp_path / "nuaa"
    for seed, hits in enumerate((5, 6, 10)):
        row(folder, seed, hits)
    write(folder, "other")
    return folder


# ------------------------------------------------------------------ the mean


def test_mean_and_sample_standard_deviation_by_hand(three):
    table = table_vi([Results.load(three)], over_seeds=True)
    frame = table.frame.set_index("method")
    assert list(frame.index) == ["net over seeds", "other"]
    found = frame.loc["net over seeds"]
    assert found["label"] == "Net (3 seeds)" and found["seeds_nuaa"] == 3
    for ratio in ("precision", "recall", "f1"):
        assert found[f"{ratio}_nuaa"] == pytest.approx(0.7)
        assert found[f"{ratio}_nuaa_sd"] == pytest.approx(np.sqrt((0.04 + 0.01 + 0.09) / 2))
    iou = [5 / 15, 6 / 14, 1]
    assert found["iou_nuaa"] == pytest.approx(np.mean(iou))
    assert found["iou_nuaa_sd"] == pytest.approx(np.std(iou, ddof=1))
    assert frame.loc["other"][["seeds_nuaa", "f1_nuaa_sd"]].isna().all()
    assert any(NOTE in note and "(0, 1, 2)" in note for note in table.notes)


def test_a_score_that_one_training_lacks_has_no_mean(three):
    results = Results.load(three)
    hiou = dict(zip(results.records, (0.2, 0.4, float("nan"), 0.5), strict=True))
    part = results.summary("own", "image")
    part["hiou"] = part["method"].map(hiou).astype(float)
    first = averaged(part, results)[0].set_index("method").loc["net over seeds"]
    assert first[["hiou", "hiou_sd"]].isna().all() and first["f1"] == pytest.approx(0.7)


def test_rows_that_the_images_do_not_tell_from_the_best_are_marked(tmp_path):
    """By the mean over the seeds on each image: each training alone is far from the best."""
    folder, names = tmp_path / "nuaa", [f"i{number:02}" for number in range(24)]

    def many(hits):
        rows = [(name, rule) for rule in ("own", "oracle") for name in names]
        counts = pd.DataFrame(rows, columns=["image", "rule"])
        one = COUNTS.drop(columns=["image", "rule", "tp", "fp", "fn"]).iloc[0].to_dict()
        hits = np.tile(hits, 2)
        return counts.assign(tp=hits, fp=10 - hits, fn=10 - hits, **one)

    # Of the 10 pixels of each image; the mean of "near" differs from "best" on two images.
    hits = {"best": (7, 7), "near": (9, 5 - (np.arange(24) % 12 == 0)), "far": (5, 5)}
    for base, seeds in hits.items():
        for seed, found in enumerate(seeds):
            trained = {"method": base, "label": base, "seed": seed, "plan": "p"}
            name = f"{base}-{seed}"
            changed = {"method_hash": name, "trained": trained, "images": 24, "of": 24}
            changed |= {"label": name, "group": "cnn"}
            write(folder, name, many(np.broadcast_to(found, 24)), **changed)
    table = table_vi([Results.load(folder)], over_seeds=True)
    assert table.frame.set_index("method")["f1_nuaa_alike"].to_dict() == {
        "best over seeds": False, "near over seeds": True, "far over seeds": False,
    }  # fmt: skip
    assert any("signed-rank tests on the scores of the images averaged" in n for n in table.notes)
    pooled = table_vi([Results.load(folder)], "own", "pooled", over_seeds=True)
    assert not any("signed-rank" in note for note in pooled.notes)


def test_every_form_states_the_spread(three):
    table = table_vi([Results.load(three)], over_seeds=True)
    assert "| Net (3 seeds) | <u>0.700</u> ± 0.265≈ | " in table.markdown()
    assert r"Net (3 seeds) & \underline{0.700} $\pm$ 0.265$^\approx$ &" in table.latex()
    assert "<u>0.700</u> ± 0.265≈" in table.html()
    assert "f1_nuaa_sd" in table.csv() and "net over seeds,Net (3 seeds)" in table.csv()
    macros = latex.macros(table)
    assert macros["istsNuaaNetOverSeedsFone"] == "0.700"
    assert macros["istsNuaaNetOverSeedsFoneSd"] == "0.265"
    assert "istsNuaaOtherFoneSd" not in macros
    for text in (table.markdown(), table.csv()):
        assert NOTE in text


def test_a_spread_has_the_digits_of_its_mean(three):
    table = with_columns(table_vi([Results.load(three)], over_seeds=True), ("fa", "f1"))
    assert re.search(r"\| Net \(3 seeds\) \| [^|.]+ ± \d+ \|", table.markdown())


def test_by_itself_a_table_puts_nothing_together(three):
    table = table_vi([Results.load(three)])
    assert len(table.frame) == 4 and "±" not in table.markdown()


def test_data_sets_with_other_numbers_of_seeds_share_the_row(three):
    nust = three.parent / "nust"
    for seed in (0, 4):
        row(nust, seed, 5 + seed, plan="p2", dataset="nust", title="NUST-SIRST")
    table = table_vi([Results.load(three), Results.load(nust)], over_seeds=True)
    found = table.frame.set_index("method").loc["net over seeds"]
    assert found["label"] == "Net (3 and 2 seeds)" and found["f1_nust"] == pytest.approx(0.7)
    assert found[["seeds_nuaa", "seeds_nust"]].tolist() == [3, 2]


def test_the_papers_numbers_stand_beside_the_mean(three):
    for seed in (0, 1):
        trained = {"method": "acm", "label": "ACM", "seed": seed, "plan": "a"}
        row(three, seed, 6, base="acm", trained=trained)
    frame = table_vi([Results.load(three)], over_seeds=True).frame.set_index("method")
    paper = frame.loc["acm over seeds", [f"{ratio}_nuaa_paper" for ratio in RATIOS]]
    assert paper.notna().all()


# ------------------------------------------------------------------ what is no sample of seeds


def specs(folder):
    results = Results.load(folder)
    return averaged(results.summary("own", "image"), results)[:2]


def test_other_plans_are_other_rows(three):
    for seed in (0, 1):
        row(three, seed, 8, plan="p2")
    frame, notes = specs(three)
    assert sorted(frame["method"]) == [
        "net over seeds, plan p1", "net over seeds, plan p2", "other",
    ]  # fmt: skip
    assert sorted(frame["seeds"].dropna()) == [2, 3] and len(notes) == 2
    assert set(frame["label"]) == {"Net, plan p1", "Net, plan p2", "other"}


def test_a_field_that_other_records_lack_is_told(tmp_path):
    for plan, recipe in (("p1", {"loss": "a"}), ("p2", {"loss": "a", "average": "0.9"})):
        for seed in (0, 1):
            trained = {"method": "net", "label": "Net", "seed": seed, "plan": plan}
            row(tmp_path / "nuaa", seed, 8, plan, trained={**trained, "recipe": recipe})
    labels = set(specs(tmp_path / "nuaa")[0]["label"])
    assert labels == {"Net, no average", "Net, average 0.9"}


@pytest.mark.parametrize("name", ["acm", "pixelgame-slim"])
def test_a_training_of_today_is_a_seed_of_one_on_record(name):
    """The hash of a plan is the same when recipes have more fields, unless those are used."""
    (choice,) = choose(name)
    network = choice.create().pretrained("nuaa")
    found = training(choice, network)
    record = read_record(Path(__file__).parents[1] / "results" / "seeds" / "nuaa" / f"{name}.json")
    assert found.plan == record.trained.plan

    class Other(type(network)):
        def training_plan(self):
            plan = super().training_plan()
            return plan | {"recipe": plan["recipe"] | {"average": 0.9}}

    other = Other(**{f.name: getattr(network, f.name) for f in dataclasses.fields(network)})
    assert training(choice, other).plan != record.trained.plan


def test_another_recipe_is_told_by_what_differs(three):
    for seed in (0, 1):
        trained = {"method": "net", "label": "Net", "seed": seed, "plan": "p2"}
        row(three, seed, 8, plan="p2", trained=trained | {"recipe": {"loss": "a", "lr": "1"}})
        trained |= {"plan": "p3", "recipe": {"loss": "b", "lr": "1"}, "command": f"go {seed}"}
        row(three, seed, 9, plan="p3", trained=trained)
    frame, notes = specs(three)
    assert set(frame["label"]) == {"Net, plan p1", "Net, loss a", "Net, loss b", "other"}
    assert [note for note in notes if note.endswith("The first: `go 0`.")] == [notes[-1]]


def test_the_same_weights_under_two_names_count_once(three):
    first = Results.load(three).records["net-p1-0-5"].method_hash
    counts = COUNTS.assign(tp=5, fp=5, fn=5)
    trained = {"method": "net", "label": "Net", "seed": 0, "plan": "p1"}
    write(three, "again", counts, group="cnn", method_hash=first, trained=trained)
    frame, _ = specs(three)
    assert sorted(frame["method"]) == ["net over seeds", "other"]
    assert frame["seeds"].max() == 3 and frame["f1"][frame["seeds"] == 3].item() == (
        pytest.approx(0.7)
    )


def test_two_trainings_with_one_seed_are_not_averaged(three):
    row(three, 0, 9)
    frame, notes = specs(three)
    assert len(frame) == 5 and frame["seeds"].isna().all()
    assert "not averaged, net-p1-0-5 and net-p1-0-9 were trained with one seed" in notes[0]
    with pytest.raises(DataError, match="no two rows differ.*not averaged"):
        table_vi([Results.load(three)], over_seeds=True)


def test_an_incomplete_row_stays_and_does_not_count(three):
    trained = {"method": "net", "label": "Net", "seed": 7, "plan": "p1"}
    part = COUNTS[COUNTS["image"] != "NA"]
    write(three, "part", part, failed={"NA": "no way"}, method_hash="7", trained=trained)
    frame, _ = specs(three)
    assert "part" in set(frame["method"]) and frame["seeds"].max() == 3


@pytest.mark.parametrize(
    "trained",
    [3, {}, {"seed": "1"}, {"seed": 1}, {"seed": True, "method": "a", "label": "b", "plan": "c"}],
)
def test_a_record_that_tells_nonsense_of_its_training_is_refused(tmp_path, trained):
    row(tmp_path, 0, 5, trained=trained)
    with pytest.raises(DataError, match=r"json: damaged \((trained|no)"):
        Results.load(tmp_path)


def test_it_does_not_go_with_intervals(three):
    with pytest.raises(WrongUse, match="not with means over seeds"):
        table_vi([Results.load(three)], over_seeds=True, intervals=True)


# ------------------------------------------------------------------ from weights to records


def told(choice, **plan):
    return training(choice, choice.create())


def test_the_plan_of_other_seeds_is_the_same(tmp_path):
    plan = {"method": "acm", "recipe": {"lr": 0.1}, "fingerprint": "f", "stop": 3, "epoch": 2}
    changed = [{"seed": 0}, {"seed": 1, "epoch": 3, "stop": 4}, {"seed": 2, "fingerprint": "g"}]
    found = []
    for change in changed:
        path = tmp_path / f"{len(found)}.safetensors"
        header = {"plan": {**plan, **change}, **({"command": "again"} if len(found) == 1 else {})}
        save_weights(path, {"a": np.zeros(1, np.float32)}, header)
        (choice,) = choose(f"acm(blocks=1, weights='{path}')")
        found.append(told(choice))
    assert [one.seed for one in found] == [0, 1, 2]
    assert found[0].plan == found[1].plan != found[2].plan
    assert [one.command for one in found] == [None, "again", None]
    assert {(one.method, one.label) for one in found} == {("acm(blocks=1)", "ACM (blocks=1)")}


def test_what_was_no_choice_yet_is_the_default(tmp_path):
    """So that a training of today is another seed of an earlier one."""
    recipe = dataclasses.asdict(ACM.recipes["fast"])
    earlier = {key: value for key, value in recipe.items() if key not in ("validations", "images")}
    found = []
    for changes in (recipe, earlier, {**recipe, "images": 100}):
        path = tmp_path / f"{len(found)}.safetensors"
        plan = {"seed": 0, "recipe": {**changes}}
        save_weights(path, {"a": np.zeros(1, np.float32)}, {"plan": plan})
        (choice,) = choose(f"acm(blocks=1, weights='{path}')")
        found.append(told(choice).plan)
    assert found[0] == found[1] != found[2]


def noted(tmp_path, header):
    """What the record of a run on the embedded data set says of weights with that header."""
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": np.zeros(1, np.float32)}, header)
    (choice,) = choose(f"acm(weights='{path}')")
    images = Images.load(open_dataset("synthetic"), "test", 3, ())
    record = new_record(choice, choice.create(), images, ("own",))
    return record.notes, record.trained, images


def test_weights_of_another_data_set_say_so(tmp_path):
    plan = {"seed": 0, "split": "train", "dataset": "nuaa"}
    (note,), trained, images = noted(tmp_path, {"plan": plan})
    assert (trained.dataset, trained.title) == ("nuaa", "NUAA-SIRST")
    assert note.startswith("its weights are of NUAA-SIRST, and their file does not say of which")
    assert noted(tmp_path, {"plan": plan, "images": ["0" * 16]})[0] == ()
    # The same picture under another name, of another data set, is found.
    learnt = ["0" * 16, picture_of(images.pixels[images.names[1]])]
    notes = noted(tmp_path, {"plan": plan, "images": learnt})[0]
    assert notes == ("1 of 3 images are for training or validation",)


def test_weights_of_another_folder_that_is_called_alike(tmp_path):
    for place in ("one", "two"):
        make_folder(tmp_path / place / "mine")
    path = tmp_path / "two" / "mine" / "images" / "train_1.png"
    cv2.imwrite(str(path), cv2.imread(str(path), 0) + 1)
    one, two = (open_dataset(f"folder:{tmp_path / place / 'mine'}") for place in ("one", "two"))
    marks = [(name, one.load(name).pixels) for name in one.names("train")]
    plan = {"seed": 0, "split": "train", "dataset": one.name, "fingerprint": fingerprint(marks)}
    save_weights(tmp_path / "w.safetensors", {"a": np.zeros(1, np.float32)}, {"plan": plan})
    (choice,) = choose(f"acm(weights='{tmp_path / 'w.safetensors'}')")
    for dataset, named in ((one, "folder-mine"), (two, "another folder-mine")):
        images = Images.load(dataset, "test", None, ())
        record = new_record(choice, choice.create(), images, ("own",))
        assert record.trained.dataset == named
        assert is_foreign(record) == (dataset is two)


def test_weights_that_do_not_say_have_no_seed(tmp_path):
    path = tmp_path / "w.safetensors"
    (choice,) = choose(f"acm(weights='{path}')")
    assert told(choice) is None  # no such file
    path.write_bytes(b"nonsense")
    assert told(choice) is None
    for header in ({}, {"plan": None}, {"plan": {"seed": "0"}}, {"plan": {}}):
        save_weights(path, {"a": np.zeros(1, np.float32)}, header)
        assert told(choice) is None
    (choice,) = choose("tophat")
    assert isinstance(choice.create(), Segmenter) and told(choice) is None


def test_from_training_to_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr("istsbench.figures.catalogue.STANDARD", ())
    whole = open_dataset("synthetic")
    parts = {"train": whole.splits["train"][:3], "val": whole.splits["val"][:1], "test": ()}
    few = dataclasses.replace(whole, splits=parts)
    methods = ["tophat"]
    for seed in (3, 8):
        net = train(
            ACM(blocks=1), few, tmp_path / str(seed), epochs=1, patch=32, batch=2, seed=seed
        )
        methods.append(f"acm(blocks=1, weights='{net.weights}')")
    out = tmp_path / "out"
    chosen = choose(",".join(methods))
    folder = run(chosen, whole, out, limit=2, show=False).folder
    records = Results.load(folder).records
    trained = [one.trained for one in records.values() if one.trained]
    assert [(one.seed, one.split, one.epochs) for one in trained] == [
        (3, "train", 1), (8, "train", 1),
    ]  # fmt: skip
    assert records["tophat"].trained is None
    assert run(chosen, whole, out, limit=2, show=False).counted == 0
    arguments = ["table", "VI", "--dataset", folder.name, "--out", str(out), "--seeds"]
    result = CliRunner().invoke(app, [*arguments, "--format", "md"])
    assert result.exit_code == 0, result.output
    assert "| ACM (blocks=1) (2 seeds) | " in result.output.replace("\\", "")
    assert "differ by their seed alone (3, 8)" in result.output


def test_the_foot_says_what_weights_were_trained_on(tmp_path):
    base = {"method": "net", "label": "Net", "plan": "a", "split": "train"}
    for seed, more in enumerate(
        (
            {"dataset": "nuaa", "epochs": 7},
            {"dataset": "nuaa"},
            {"dataset": "nudt", "epochs": 9},
            {"dataset": "another folder-x", "split": None},
            {},
        )
    ):
        row(tmp_path, seed, 5, trained={**base, "seed": seed, **more})
    write(tmp_path, "silent", parameters={"weights": "w.safetensors"})
    write(tmp_path, "plain")
    table = table_vi([Results.load(tmp_path)])
    assert [note for note in table.notes if "weights" in note] == [
        "NUAA-SIRST: weights trained on its split train: Net (net-p1-0-5) (7 epochs), "
        "Net (net-p1-1-5).",
        "‡ NUAA-SIRST: weights trained on another data set, NUDT-SIRST, split train: "
        "Net (net-p1-2-5) (9 epochs).",
        "‡ NUAA-SIRST: weights trained on another data set, another folder-x, a split that is not "
        "known: Net (net-p1-3-5).",
        "NUAA-SIRST: weights trained on a data set that the record does not name, split train: "
        "Net (net-p1-4-5).",
        "NUAA-SIRST: weights of which no training is known: silent.",
    ]
    marked = ["Net (net-p1-2-5)‡", "Net (net-p1-3-5)‡"]
    assert [row[0] for row in table.cells(PLAIN) if "‡" in row[0]] == marked
    frame = pd.read_csv(io.StringIO(table.csv()), comment="#").set_index("method")
    assert list(frame["trained_nuaa"].dropna()) == [
        "nuaa/train", "nuaa/train", "nudt/train", "another folder-x/?", "?/train",
    ]  # fmt: skip
    assert frame["foreign_nuaa"].sum() == 2 and pd.isna(frame.loc["plain", "foreign_nuaa"])
    for kind in ("md", "tex", "html"):
        text = table.text(kind)
        assert text.count("ddagger" if kind == "tex" else "‡") == 4
    for label in marked:
        assert label.replace("‡", r"$^\ddagger$") in table.latex() and label in table.html()


def test_rows_of_another_data_set_are_marked_beside_a_second_data_set(tmp_path):
    trained = {"method": "net", "label": "Net", "plan": "a", "split": "train", "dataset": "nuaa"}
    for dataset, title in (("nuaa", "NUAA"), ("nust", "NUST")):
        write(tmp_path / dataset, "net", dataset=dataset, title=title,
              trained={**trained, "seed": 0})  # fmt: skip
        write(tmp_path / dataset, f"only-{dataset}", dataset=dataset, title=title)
    sets = [Results.load(tmp_path / dataset) for dataset in ("nuaa", "nust")]
    for order in (sets, sets[::-1]):
        table = table_vi(order)
        labels = {row[0] for row in table.cells(PLAIN)}
        assert labels == {"net‡", "only-nuaa", "only-nust"}
        (told,) = [note for note in table.notes if "‡" in note]
        assert told.startswith("‡ NUST: weights trained on another data set, NUAA-SIRST")
    assert not [row for row in table_vi(sets[:1]).cells(PLAIN) if "‡" in row[0]]
