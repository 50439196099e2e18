"""The documentation site has a place for every exported name, decision and guide."""

import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
FOLDERS = {
    "bocl": "bocl",
    "cmn": "cmn",
    "gossipgrad": "gossipgrad",
    "sigopt_orchestrate": "orchestrate",
}


@pytest.mark.parametrize("package", FOLDERS)
def test_the_reference_lists_what_a_package_exports(package: str) -> None:
    """No more and no less than `__all__`."""
    page = (DOCS / FOLDERS[package] / "api.md").read_text(encoding="utf-8")
    listed = re.findall(rf"auto(?:class|exception|function):: {package}\.(\w+)\n", page)
    exported = set(importlib.import_module(package).__all__) - {"__version__"}
    assert len(listed) == len(set(listed))
    assert set(listed) == exported


def test_decisions_are_numbered_without_a_gap() -> None:
    """A decision's number is in its file's name and in its title."""
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_each_guide_of_the_orchestrator_has_its_page() -> None:
    """The site includes them from the package, where GitHub and the wheel's README show them."""
    guides = Path(__file__).parents[1] / "packages" / "sigopt-orchestrate" / "docs"
    pages = {page.name for page in (DOCS / "orchestrate").glob("*.md")}
    assert {guide.name for guide in guides.glob("*.md")} <= pages
