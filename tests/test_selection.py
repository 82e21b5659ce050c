import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from istsbench.errors import UnknownName, WrongUse
from istsbench.registry import Choice, choose, file_name


def test_names_groups_and_parameters_in_the_order_given(toys):
    found = choose(" toy, tophat(size=7) ,toy(gain=2, note='a, b'),,toy,")
    assert [choice.spec for choice in found] == [
        "toy", "tophat(size=7)", "toy(gain=2, note='a, b')",
    ]  # fmt: skip
    assert found[2].create().note == "a, b"


def test_a_group_stands_for_its_methods_once(toys):
    names = [choice.name for choice in choose("tophat,spatial,toys")]
    assert names[0] == "tophat" and names.count("tophat") == 1
    assert {"toy", "bad", "batch", "forgetful"} < set(names) and "ipi" not in names


def test_all_keeps_broken_methods_for_the_run_to_record(toys):
    assert {"toy", "absent", "tophat"} < {choice.name for choice in choose("all")}


def test_values_are_literals_or_words(toys):
    (choice,) = choose("toy(gain=1e-3, note=nearest)")
    assert dict(choice.changes) == {"gain": 1e-3, "note": "nearest"}
    (choice,) = choose("admd(scales=(3, 5))")
    assert dict(choice.changes) == {"scales": (3, 5)}
    (choice,) = choose("rlcm(pairs=[(3, 5), [5, 7]])")
    assert dict(choice.changes) == {"pairs": ((3, 5), (5, 7))}


def test_order_of_parameters_does_not_matter(toys):
    assert choose("toy(gain=2, seconds=1)") == choose("toy(seconds=1, gain=2)")


def test_set_changes_a_method_wherever_it_is_chosen(toys):
    found = choose("toys,tophat", ["toy.gain=3", "toy.note=x=y"])
    assert dict(found[[c.name for c in found].index("toy")].changes) == {"gain": 3, "note": "x=y"}
    assert found[-1] == Choice("tophat")
    assert choose("toy(gain=5)", ["toy.gain=3"]) == [Choice("toy", (("gain", 5),))]


@pytest.mark.parametrize(
    "methods, message",
    [
        ("tophatt", "unknown method or group 'tophatt'; did you mean tophat"),
        ("spatail", "did you mean spatial"),
        ("tophat(sise=7)", "no parameter 'sise'; did you mean size"),
        ("spatial(size=7)", "'spatial' is a group"),
        ("tophat(7)", "cannot read the parameter '7', expected name=value"),
        ("tophat(size=7", "cannot read 'tophat(size=7': ')' is missing at its end"),
        ("ipi,tophat(size=7))", "cannot read 'ipi,tophat(size=7))': ')' closes no bracket"),
        ("admd(scales=(3, 5])", "']' closes no bracket"),
        ("toy(note='a)", '"\'" is missing at its end'),
        ("tophat(size=abc)", "size is 'abc', expected int"),
        ("tophat(size=2.5)", "size is 2.5, expected int"),
        ("tophat)size=7(", "cannot read"),
        ("top hat", "cannot read 'top hat'"),
        (" , ", "names no method"),
        ("", "names no method"),
        ("forgetful(zzz=2)", "no parameter 'zzz'"),
        ("toy(note={1: 2})", "{1: 2} cannot be a parameter"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(toys, methods, message):
    with pytest.raises(WrongUse) as caught:
        choose(methods)
    assert message in str(caught.value)


def test_set_of_a_method_that_is_not_chosen_is_wrong_use(toys):
    with pytest.raises(WrongUse, match="--set changes 'tophat', which is not among --methods 'to"):
        choose("toys", ["toy.gain=3", "tophat.size=7"])


@pytest.mark.parametrize("change", ["toy", "toy.gain", "gain=3", "=", "toy.=", "nosuch.gain=3"])
def test_set_that_cannot_be_read(toys, change):
    with pytest.raises(WrongUse):
        choose("toy", [change])


def test_unknown_method_in_set_has_close_matches(toys):
    with pytest.raises(UnknownName, match="did you mean toy"):
        choose("toy", ["toyy.gain=3"])


VALUES = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8),
    st.booleans(), st.none(),
    st.tuples(st.integers(), st.text(max_size=4)),
)  # fmt: skip
CHOICES = st.builds(
    Choice,
    st.just("toy"),
    st.dictionaries(st.sampled_from(["gain", "note"]), VALUES).map(
        lambda d: tuple(sorted(d.items()))
    ),
)


@given(CHOICES)
@example(Choice("toy", (("note", "'a,\""),)))
def test_a_spec_reads_back_as_the_same_choice(choice):
    from istsbench.registry import _arguments, _split

    (part,) = _split(choice.spec)
    inside = part.removeprefix("toy").removeprefix("(").removesuffix(")")
    assert tuple(sorted(_arguments(inside).items())) == choice.changes


@given(
    st.lists(st.one_of(CHOICES.map(lambda c: c.spec), st.text(min_size=1)), min_size=2, max_size=5)
)
def test_file_names_are_safe_and_differ(specs):
    names = {spec: file_name(spec) for spec in specs}
    assert len(set(names.values())) == len(names)
    for name in names.values():
        assert 0 < len(name) <= 120 and name[0] not in ".-"
        assert not set(name) & set("/ \\:*?\"<>|()'\n\0") and name.isascii()


def test_usual_specs_have_readable_file_names():
    assert Choice("ipi").file == "ipi"
    assert Choice("tophat", (("size", 7),)).file == "tophat_size=7"
    assert Choice("ipi", (("size", 7), ("step", -2.5))).file == "ipi_size=7_step=-2.5"
