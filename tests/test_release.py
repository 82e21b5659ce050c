"""What a release needs beside the code: one version everywhere, and files that are valid."""

import re
from pathlib import Path

import pytest

import istsbench

ROOT = Path(istsbench.__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "CITATION.cff").is_file(), reason="of a checkout, not of an installation"
)


def test_the_citation_and_the_changelog_are_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == istsbench.__version__
    newest = re.search(
        r"^## (?!Unreleased)(\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )[1]
    assert newest == istsbench.__version__


def test_the_citation_names_pixelgame_as_its_card_does():
    doi = istsbench.info("pixelgame").card.doi
    assert f"doi: {doi}" in (ROOT / "CITATION.cff").read_text()


def test_a_release_has_each_kind_of_change_once():
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(releases) >= 2
    for release in releases:
        kinds = re.findall(r"^### (.*)$", release, re.MULTILINE)
        assert kinds == [kind for kind in ("Added", "Changed", "Fixed") if kind in kinds], release
