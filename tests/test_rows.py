import pytest
from toys import make_record

from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.results.rows import rows_named
from istsbench.runs.record import write_record

ROWS = {
    "ipi": ("IPI", "lowrank"),
    "ipi(rank=2, step=3)": ("IPI (rank=2, step=3)", "lowrank"),
    "acm": ("ACM", "cnn"),
    "submitted(My net, v2)": ("My net, v2", "submitted"),
    "submitted(Bob's; net)": ("Bob's; net", "submitted"),
    "submitted(网络)": ("网络", "submitted"),
}


@pytest.fixture
def write(tmp_path):
    def rows(given):
        for number, (spec, (label, group)) in enumerate(given.items()):
            record = make_record(spec, label=label, group=group, file=str(number))
            write_record(tmp_path, record)
        return tmp_path

    return rows


@pytest.mark.parametrize(
    "text, specs",
    [
        ("ipi", ["ipi"]),
        ("IPI,acm", ["ipi", "acm"]),
        (" acm , Ipi,", ["acm", "ipi"]),
        ("My net, v2,ipi", ["submitted(My net, v2)", "ipi"]),
        ("acm;my  net,v2", ["acm", "submitted(My net, v2)"]),
        ("submitted(My net, v2)", ["submitted(My net, v2)"]),
        ("ipi(rank=2,step=3), IPI (rank=2, step=3), ipi", ["ipi(rank=2, step=3)", "ipi"]),
        ("Bob's; net,网络", ["submitted(Bob's; net)", "submitted(网络)"]),
        ("cnn,lowrank", ["acm", "ipi", "ipi(rank=2, step=3)"]),
        ("traditional", ["ipi", "ipi(rank=2, step=3)"]),
        ("all", list(ROWS)),
    ],
)
def test_rows_by_spec_label_and_group(write, text, specs):
    assert rows_named(write(ROWS), text) == specs


@pytest.mark.parametrize(
    "text, told",
    [
        ("ipi,My nett", "'My nett'; did you mean My net, v2"),
        ("acmm", "did you mean (acm|ACM)"),
        ("tophat(size=3, gain=2),ipi", "unknown row 'tophat.size=3, gain=2.'; known: ipi, "),
        ("My net", "'My net'; did you mean"),
    ],
)
def test_an_unknown_name_is_an_error_with_close_matches(write, text, told):
    with pytest.raises(UnknownName, match=told):
        rows_named(write(ROWS), text)


def test_what_can_be_meant_twice_is_refused(write):
    folder = write({**ROWS, "submitted(IPI)": ("IPI", "submitted"), "v2": ("v2", "x"),
                    "My net": ("My net", "x")})  # fmt: skip
    assert rows_named(folder, "ipi") == ["ipi"]
    with pytest.raises(WrongUse, match=r"several rows.*'ipi', 'submitted\(IPI\)'"):
        rows_named(folder, "IPI")
    with pytest.raises(WrongUse, match="two ways"):
        rows_named(folder, "My net, v2")
    with pytest.raises(WrongUse, match="names no row"):
        rows_named(folder, " , ")


def test_capitals_tell_apart_what_nothing_else_does(write):
    folder = write({"submitted(Net)": ("Net", "s"), "submitted(net)": ("net", "s")})
    assert rows_named(folder, "net,Net") == ["submitted(net)", "submitted(Net)"]
    with pytest.raises(WrongUse, match="several rows"):
        rows_named(folder, "NET")


def test_a_damaged_record_hides_no_other(write):
    folder = write(ROWS)
    (folder / "x.json").write_text("{")
    assert rows_named(folder, "acm") == ["acm"]
    with pytest.raises(DataError, match="no results"):
        rows_named(folder / "nothing", "acm")
