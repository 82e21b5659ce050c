import pandas as pd
from test_table_vi import write

from istsbench.results.results import Results
from istsbench.tables.combined import write_joint_table


def folder(out, dataset, methods, tag="", **changes):
    for method in methods:
        write(out / (tag or dataset), method, dataset=dataset, title=dataset.upper(), **changes)
    return Results.load(out / (tag or dataset))


def methods(path):
    return list(pd.read_csv(path, comment="#")["method"])


def test_a_poorer_table_never_takes_the_place_of_a_full_one(tmp_path):
    full = [folder(tmp_path, dataset, "abc") for dataset in ("nuaa", "nust")]
    assert [path.name for path in write_joint_table(full, tmp_path)] == [
        "table_vi.csv", "table_vi.md", "table_vi.tex",
    ]  # fmt: skip
    before = (tmp_path / "table_vi.csv").read_bytes()
    limited = [
        folder(tmp_path, dataset, "abc", f"{dataset}-first2", images=2, of=86)
        for dataset in ("nuaa", "nust")
    ]
    other = [full[0], folder(tmp_path, "synthetic", "abc")]
    fewer = [Results.load(tmp_path / dataset, ["a", "b"]) for dataset in ("nuaa", "nust")]
    for sets, name in (
        (limited, "table_vi-nuaa-first2-nust-first2.csv"),
        (other, "table_vi-nuaa-synthetic.csv"),
        (fewer, "table_vi-nuaa-nust.csv"),
    ):
        paths = write_joint_table(sets, tmp_path)
        assert paths[0].name == name and len(methods(paths[0])) >= 2
        assert (tmp_path / "table_vi.csv").read_bytes() == before


def test_a_table_that_shows_as_much_takes_the_place(tmp_path):
    sets = [folder(tmp_path, dataset, "a") for dataset in ("nuaa", "nust")]
    write_joint_table(sets, tmp_path)
    more = [folder(tmp_path, dataset, "ab") for dataset in ("nuaa", "nust")]
    third = folder(tmp_path, "synthetic", "a")
    for grown in (more, [*more, third]):
        assert write_joint_table(grown, tmp_path)[0].name == "table_vi.csv"
    assert methods(tmp_path / "table_vi.csv") == ["a", "b"]
    assert write_joint_table(more, tmp_path)[0].name == "table_vi-nuaa-nust.csv"


def test_a_limited_table_has_its_own_name_where_none_is_there(tmp_path):
    limited = [folder(tmp_path, d, "a", f"{d}-first2", of=86) for d in ("nuaa", "nust")]
    assert write_joint_table(limited, tmp_path)[0].name == "table_vi-nuaa-first2-nust-first2.csv"


def test_what_is_no_table_is_left_alone(tmp_path):
    (tmp_path / "table_vi.csv").write_text("my own notes\n")
    sets = [folder(tmp_path, dataset, "a") for dataset in ("nuaa", "nust")]
    assert write_joint_table(sets, tmp_path)[0].name == "table_vi-nuaa-nust.csv"
    assert (tmp_path / "table_vi.csv").read_text() == "my own notes\n"
