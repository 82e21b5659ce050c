import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from test_latex import check_balance, made
from typer.testing import CliRunner

from istsbench import registry
from istsbench.cli import app
from istsbench.data.datasets import open_dataset
from istsbench.figures.writing import DrawnFrom, write_figure
from istsbench.registry import choose
from istsbench.report.bundle import bundle, protocol_text, thresholds
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.runs.record import Origin, Trained
from istsbench.runs.run import run
from istsbench.segmenter import Card
from istsbench.tables.references import bibliography, of_card, of_dataset, of_method
from istsbench.threshold import Fixed, MeanStd, MeanToPeak, PeakRatio, candidates

SHOWN = ("precision", "recall", "f1", "iou")
METHODS = "tophat,aagd,nwie,toy,toy(gain=2),bad"


@pytest.fixture(scope="module")
def results(
    toy_folder: Path, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Results]:
    """Results of real and of toy methods, which stay registered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        registry._entries.cache_clear()
        data, out = open_dataset(f"folder:{toy_folder}"), tmp_path_factory.mktemp("bundle")
        outcome = run(choose(METHODS), data, out / "out", wanted=("own", "half"), show=False)
        counted, folder = Results.load(outcome.folder), outcome.folder / "figures"
        for name in ("bars-own-image", "bars-half-pooled", "grid-own-test_1", "roc", "sensitivity"):
            write_figure(Figure((1, 1)), folder, name, DrawnFrom.of(counted, name))
        write_figure(Figure((1, 1)), folder, "bars-half-image")  # says nothing of its results
        write_figure(Figure((1, 1)), folder, "pr", DrawnFrom("0" * 16, 6))
        yield counted
    registry._entries.cache_clear()


@pytest.fixture(scope="module")
def folder(results: Results) -> Path:
    out = results.folder.parent
    bundle([results], out, out.parent / "to")
    return out.parent / "to"


def read(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def test_a_bundle_has_all_its_parts(folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    tables = ("table_vi", "table_vi_intervals", "table_vi_pooled")
    assert files == {
        *(f"tables/{name}.{kind}" for name in tables for kind in ("csv", "md", "tex", "html")),
        "tables/thresholds.csv", "macros.tex", "protocol.tex", "protocol.md", "references.bib",
        "preview.tex",
        *(f"figures/folder-toyset/{name}.pdf"
          for name in ("bars-own-image", "grid-own-test_1", "roc", "sensitivity")),
    }  # fmt: skip


def test_figures_are_those_of_the_rule_and_the_reduction(results, tmp_path):
    bundle([results], results.folder.parent, tmp_path, "half", "pooled")
    figures = {path.name for path in tmp_path.glob("figures/*/*")}
    assert figures == {"bars-half-pooled.pdf", "roc.pdf", "sensitivity.pdf"}


def test_old_figures_are_named_and_not_taken(folder):
    text = read(folder, "preview.tex")
    assert "drawn from other results: figures/folder-toyset/pr.pdf." in text


def test_the_bibliography_has_just_what_is_cited(folder):
    keys = re.findall(r"@\w+\{(\w+),", read(folder, "references.bib"))
    assert keys == ["rivest1996", "toy2001", "bad2002", "deng2016"]  # AAGD and NWIE share one
    cited = re.findall(r"\\cite\{(\w+)\}", read(folder, "protocol.tex"))
    assert set(cited) == set(keys)
    check_balance(read(folder, "references.bib").replace("&", ""))


def test_tables_have_labels_of_their_own_and_cite_what_the_bibliography_has(folder):
    texts = [path.read_text() for path in sorted(folder.glob("tables/*.tex"))]
    labels = [label for text in texts for label in re.findall(r"\\label\{(.*?)\}", text)]
    assert len(labels) >= len(texts) > 2 and len(set(labels)) == len(labels)
    keys = {key for text in texts for key in re.findall(r"\\cite\{(.*?)\}", text)}
    entries = re.findall(r"@\w+\{(\w+),", read(folder, "references.bib"))
    assert keys and keys <= set(entries)
    assert read(folder, "preview.tex").startswith("% made, with its references, by: latexmk")


def test_every_macro_is_defined_once(folder):
    names = re.findall(r"\\newcommand\{\\(\w+)\}", read(folder, "macros.tex"))
    assert len(names) == len(set(names)) and all(name.isalpha() for name in names)
    assert {"istsFolderToysetTophatFone", "istsFolderToysetTophatFonePooled",
            "istsFolderToysetTophatFoneLow", "istsFolderToysetProtocol"} <= set(names)  # fmt: skip


def test_the_paragraph_states_the_protocol(folder, results):
    text = read(folder, "protocol.md")
    record = results.any_record
    for part in (
        "We compare 6 methods (3 spatial filters, 3 toys methods)",
        "Top-Hat [@rivest1996]",
        "split test, 6 images, first 16 digits of the SHA-256 of names and pixels "
        f"{record.data_hash}",
        "by the method's own rule",
        "means over images",
        "3 are equal to public reference code",
        "1 is reconstructed because the source was not reachable (Bad)",
        "Not every image could be scored by Bad on toyset.",
        record.environment["numpy"],
        Protocol.of(results, "own").id,
    ):
        assert part in text, part
    assert "cite" not in text and "Not scored" not in text
    assert "Precision, recall, F1 and IoU are means" in text and "hIoU: mean IoU" in text
    assert "Pd and Fa" not in text and "Pd" not in read(folder, "tables/table_vi.md")


def test_the_paragraph_explains_what_is_shown_and_no_more(pair):
    text = protocol_text(pair, "own", "image", str, str, (*SHOWN, "pd", "auc_image"))
    assert "Pd and Fa are pooled" in text and "AUC (images)" in text and "hIoU" not in text


@pytest.fixture
def pair() -> list[Results]:
    """Two data sets, whose rows were made by two machines."""
    specs = {"tophat": "Top-Hat", "mpcm": "MPCM", "ipi": "IPI"}
    sets = [made("nuaa", specs), made("nust", specs)]
    for results, (cpu, commit) in zip(sets, (("A1", "c1"), ("B2", "c2")), strict=True):
        for spec in results.records:
            change(results, spec, environment={"system": "Linux", "cpu": cpu, "commit": commit})
    return sets


def change(results: Results, spec: str, **changes: object) -> None:
    results.records[spec] = replace(results.records[spec], **changes)


def test_the_paragraph_is_of_all_data_sets(pair):
    nuaa, nust = pair
    change(nuaa, "mpcm", failed={"i3": "out of luck"})
    change(nust, "ipi", wanted=(), rules={}, label="ipi", failed={"": "it was not there"})
    del nust.records["mpcm"], nuaa.records["ipi"]
    text = protocol_text(pair, "own", "image", str, str, SHOWN)
    for part in (
        "We compare 2 methods (2 spatial filters)",
        "Not scored: ipi on nuaa set and nust set; MPCM on nust set.",
        "Not every image could be scored by MPCM on nuaa set.",
        "had one thread of A1 and B2 (Linux). Software: commit c1 and c2.",
    ):
        assert part in text, part


def test_shipped_rows_are_not_called_imported_from_packs(pair):
    for results in pair:
        origin = Origin(pack="0" * 64, verified=False, name="istsbench 1_0, then")
        change(results, "ipi", imported=origin)
    text = protocol_text(pair, "own", "image", str, lambda text: text.replace("_", "-"), SHOWN)
    assert "Shipped with istsbench 1-0, then, with counts that were made elsewhere: IPIg" in text
    assert "packs" not in text


def test_what_was_not_run_here_is_said_apart(pair):
    nuaa, nust = pair
    for results in pair:
        origin = Origin(pack="0" * 64, verified=True)
        change(results, "ipi", environment={"cpu": "theirs"}, imported=origin)
    change(nust, "mpcm", group="submitted", status="submitted", label="My Net")
    del nuaa.records["mpcm"]
    text = protocol_text(pair, "own", "image", str, str, SHOWN)
    for part in (
        "We compare 1 method (1 spatial filter): Top-Hat",
        "Submitted as prediction images, and not run here: My Net",
        "counts that were made elsewhere: IPIgao2013 on nuaa set and nust set.",
        "Not scored: My Net on nuaa set.",
        "Of the methods, 1 is written from the paper (Top-Hat), 1 is reconstructed",
    ):
        assert part in text, part
    assert "theirs" not in text
    for results in pair:
        results.records.pop("tophat")
    text = protocol_text(pair, "own", "image", str, str, SHOWN)
    for part in ("We compare", "Every method receives", "had one thread"):
        assert part not in text, part
    assert "  " not in text


def test_imported_rows_are_grouped_by_their_data_sets(pair):
    for results in pair:
        for spec in results.records:
            change(results, spec, imported=Origin(pack="0" * 64, verified=True))
    del pair[1].records["ipi"]
    text = protocol_text(pair, "own", "image", lambda key: "", str, SHOWN)
    assert "Top-Hat, MPCM on nuaa set and nust set; IPI on nuaa set." in text
    assert "Of the methods, 2 are written from the paper (Top-Hat, MPCM), 1 is recon" in text


def test_the_own_rule_of_a_users_function_is_its_value(results, pair):
    text = protocol_text([results], "own", "image", str, str, SHOWN)
    assert "for slow methods on validation images alone)" in text
    assert "of other methods, as given (" in text and "Toy: MeanStd(k=3)" in text
    for one in pair:
        mine = replace(one.records["mpcm"], method="mine", label="Mine")
        one.records.clear()
        one.records["mine"] = mine
    alone = protocol_text(pair, "own", "image", str, str, SHOWN)
    assert "by the method's own rule (Mine: " in alone and "calibrated" not in alone


def test_another_rule_and_reduction_are_said(results):
    text = protocol_text([results], "half", "pooled", str, str, SHOWN)
    assert "taking what exceeds 0.5" in text and "pooled over all images" in text
    assert Protocol.of(results, "half", "pooled").id in text


def test_the_paragraph_names_every_candidate_of_a_chosen_rule(pair):
    words = {
        MeanStd: "the mean plus k standard deviations of the map", Fixed: "(networks: a level)",
        PeakRatio: "half of the map scaled to [0, 1]", MeanToPeak: "the method's own rule",
    }  # fmt: skip
    for results in pair:
        for spec in results.records:
            change(results, spec, wanted=("own", "tuned", "oracle"))
    kinds = {type(rule) for own in (MeanToPeak(0.3), Fixed(0.3)) for rule in candidates(own)}
    assert kinds == set(words)
    for rule in ("tuned", "oracle"):
        text = protocol_text(pair, rule, "image", str, str, SHOWN)
        assert all(part in text for part in words.values())


def test_the_paragraph_has_the_notes_of_rows_and_the_data_set_of_weights(pair):
    spec, other = list(pair[0].records)[:2]
    trained = Trained(method=spec, label="Net", seed=0, plan="a", dataset="nudt", split="train")
    change(pair[0], spec, notes=("2 of 6 images are for training or validation",), trained=trained)
    text = protocol_text(pair, "own", "image", str, str, SHOWN)
    label = pair[0].records[spec].label
    assert f"Notes: {label}: 2 of 6 images are for training or validation." in text
    assert f"weights trained on another data set, NUDT-SIRST, split train: {label}." in text
    assert "Mended" not in text


def test_the_rules_in_use_are_listed(results):
    frame = thresholds([results]).set_index("method")
    assert frame.loc["Toy", "own"] == "MeanStd(k=3)"
    assert (frame["half"] == "PeakRatio(ratio=0.5)").all()


def test_a_bundle_is_the_same_every_time(folder, results, tmp_path):
    bundle([results], results.folder.parent, tmp_path / "again")
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_the_preview_compiles(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    text = re.sub(r"\\begin\{center\}.*\\end\{center\}", "", read(copy, "preview.tex"))
    (copy / "preview.tex").write_text(text)  # the figure of this test is none
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "preview.tex"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_command_writes_a_bundle(results, tmp_path):
    words = ["bundle", "--dataset", results.folder.name, "--out", str(results.folder.parent)]
    done = CliRunner().invoke(app, [*words, "--to", str(tmp_path / "b"), "--rule", "half"])
    assert done.exit_code == 0, done.output
    assert "taking what exceeds 0.5" in done.output and (tmp_path / "b" / "macros.tex").is_file()
    done = CliRunner().invoke(app, [*words, "--to", str(tmp_path / "c"), "--rule", "oracle"])
    assert done.exit_code == 2 and not (tmp_path / "c").exists()


def test_the_command_names_figures_left_out_and_what_draws_them(results, tmp_path):
    words = ["bundle", "--dataset", results.folder.name, "--out", str(results.folder.parent)]
    done = CliRunner().invoke(app, [*words, "--to", str(tmp_path / "b")])
    assert "left out, drawn from other rows: pr.pdf" in done.stderr
    assert "istsbench plot all --dataset folder:PATH --rule own" in done.stderr


def test_every_method_of_the_suite_has_a_reference():
    missing = [
        name
        for name, card in registry.cards().items()
        if isinstance(card, Card) and card.group != "toys" and not of_card(card).authors
    ]
    assert missing == []


def test_references_name_authors_and_place():
    text = bibliography([of_method("ipi"), of_dataset("nuaa"), of_dataset("synthetic")])
    assert text.count("@") == 2
    assert "author = {C. Gao and D. Meng" in text and "pages = {4996--5009}" in text
    assert "booktitle = {IEEE/CVF Winter Conference" in text
    assert "doi = {10.1109/TIP.2013.2281420}" in text
    assert r"journal = {Infrared Physics \& Technology}" in of_method("nipps").bibtex()
    assert "url = {https://" in of_method("nipps").bibtex()


def test_variants_share_the_reference_of_their_method():
    assert of_method("tophat(size=7)") == of_method("tophat")
    assert of_method("mine") is None
    assert of_dataset("nust-paper") == of_dataset("nust")


def test_a_method_of_ones_own_is_cited_by_its_card():
    text = of_card(Card("New Net", "cnn", "Venue", 2030, "10.1/x_y", "paper")).bibtex()
    assert text.startswith("@misc{newnet2030,") and "doi = {10.1/x_y}" in text
    assert "author" not in text
