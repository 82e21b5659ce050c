import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toys import Toy, install

from istsbench import registry
from istsbench.errors import BrokenMethod, UnknownName, WrongUse
from istsbench.registry import Choice, choose, file_name
from istsbench.segmenter import Card, parameter, parameter_help


def test_names_are_sorted_and_hold_ours_and_theirs(toys):
    names = registry.names()
    assert names == sorted(names)
    assert {"tophat", "toy", "absent"} <= set(names)


def test_create_changes_parameters(toys):
    assert registry.create("toy") == Toy()
    assert registry.create("toy", gain=2) == Toy(gain=2)


def test_a_file_that_was_given_as_text_becomes_a_path(toys):
    assert registry.create("learner", weights="a/b").weights == Path("a/b")
    assert registry.create("toy", note="a/b").note == "a/b"


def test_unknown_name_answers_with_close_matches(toys):
    with pytest.raises(UnknownName, match=r"unknown method 'tophatt'; did you mean tophat"):
        registry.info("tophatt")
    with pytest.raises(UnknownName, match=r"known: .*tophat.*toy"):
        registry.info("zzzzzz")


def test_unknown_parameter_answers_with_close_matches(toys):
    with pytest.raises(TypeError, match=r"'toy' has no parameter 'gian'; did you mean gain\?"):
        registry.create("toy", gian=2)
    with pytest.raises(TypeError, match="it has: gain, seconds, note"):
        registry.create("toy", zzz=2)
    with pytest.raises(TypeError, match="it has: none"):
        registry.create("forgetful", zzz=2)


@dataclass(frozen=True)
class Many(Toy):
    """Parameters of every plain type, and others."""

    steps: tuple[int, ...] = (1,)
    dense: bool = False
    level: "int | None" = None
    size: "int" = 3


@pytest.mark.parametrize(
    "given, kind",
    [
        ({"gain": "abc"}, "float"),
        ({"gain": True}, "float"),
        ({"size": 3.5}, "int"),
        ({"size": "7"}, "int"),
        ({"dense": 1}, "bool"),
        ({"note": 2}, "str"),
        ({"steps": 3}, "tuple[int, ...]"),
    ],
)
def test_a_value_of_another_type_is_refused(given, kind):
    ((key, value),) = given.items()
    with pytest.raises(TypeError) as caught:
        registry.build(Many, "many", given)
    assert str(caught.value) == f"method 'many': {key} is {value!r}, expected {kind}"


@pytest.mark.parametrize(
    "given",
    [{"gain": 2}, {"size": 5}, {"dense": True}, {"note": ""}, {"steps": (3, 5)}, {"level": 4},
     {"level": True}],
)  # fmt: skip
def test_a_value_that_fits_is_taken_as_it_is(given):
    ((key, value),) = given.items()
    assert getattr(registry.build(Many, "many", given), key) is value


def test_every_default_has_the_type_that_it_is_declared_with():
    for name, card in registry.cards().items():
        if isinstance(card, Card):
            method = registry.create(name)
            assert registry.build(type(method), name, vars(method)) == method


@pytest.mark.parametrize(
    "name, cause", [("absent", "ModuleNotFoundError"), ("notclass", "expected a subclass")]
)
def test_a_broken_plug_in_is_named_and_harms_no_other(toys, name, cause):
    with pytest.raises(BrokenMethod, match=f"method '{name}'.*{cause}"):
        registry.info(name)
    cards = registry.cards()
    assert isinstance(cards[name], BrokenMethod)
    assert isinstance(cards["toy"], Card) and isinstance(cards["tophat"], Card)
    assert name in registry.groups()["all"]
    assert name not in [
        one for group, of in registry.groups().items() if group != "all" for one in of
    ]


def test_two_packages_with_one_name_break_that_name_only(on_path, tmp_path):
    for package, first in (("a", "toys:Toy"), ("b", "toys:Bad")):
        install(tmp_path / package, {"one": first, "two": "toys:Toy"}, package)
        on_path(tmp_path / package)
    with pytest.raises(BrokenMethod, match="two methods are called 'one': toys:.* and toys:"):
        registry.create("one")
    assert isinstance(registry.cards()["one"], BrokenMethod)
    assert registry.create("two") == Toy()


@pytest.mark.parametrize(
    "body, card",
    [
        ('card = Card("A" + str(1), "g", "V", 1999, "d", "paper")', "A1"),
        ('card = Card("A", "g", "V", 1999, "d", "guess")', "status is 'guess'"),
        ("card = 3", "has no card"),
        ("pass", "has no card"),
        ("import sys; sys.exit(1)", "SystemExit"),
    ],
)
def test_a_listing_has_the_card_or_what_is_wrong(tmp_path, on_path, body, card):
    (tmp_path / "plugged.py").write_text(
        "from dataclasses import dataclass\nfrom istsbench import Card, Segmenter\n\n"
        "@dataclass(frozen=True)\nclass M(Segmenter):\n"
        f"    {body}\n    def score(self, image): return image\n"
    )
    install(tmp_path, {"m": "plugged:M"}, "plugged")
    on_path(tmp_path)
    try:
        found = registry.cards()["m"]
    finally:
        sys.modules.pop("plugged", None)
    assert card in (found.label if isinstance(found, Card) else str(found))


def test_groups_are_those_of_the_cards():
    groups = registry.groups()
    assert groups["all"] == registry.names()
    assert set(groups["traditional"]) == {*groups["spatial"], *groups["hvs"], *groups["lowrank"]}
    assert "tophat" in groups["table-vi"] and "maxmean" not in groups["table-vi"]


@pytest.mark.parametrize(
    "call, heavy",
    [
        ("groups()", "torch numba"),
        ("choose('tophat')", "scipy.linalg torch numba"),
        ("names()", "scipy cv2 pandas torch numba"),
    ],
)
def test_what_is_not_needed_is_not_imported(call, heavy):
    code = (
        f"import sys; from istsbench import registry; registry.{call}; "
        f"sys.exit(' '.join(set({heavy!r}.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr.strip(), done.stderr


@dataclass(frozen=True)
class Variant(Toy):
    """A base's parameters: one with another default, one with another meaning, one of its own."""

    gain: float = 2.0
    seconds: float = parameter(1.0, "how long it takes")
    size: int = 3


def test_a_variant_says_what_its_parameters_mean_and_else_its_base_does():
    assert parameter_help(Variant) == {
        "gain": "factor of the map",
        "seconds": "how long it takes",
        "note": "changes nothing but the name",
        "size": "",
    }


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
    with pytest.raises(
        WrongUse, match="--set changes 'tophat', which is not among the methods 'to"
    ):
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
