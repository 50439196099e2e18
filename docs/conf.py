"""Sphinx's settings; `make docs` builds the site into docs/_build, and warnings are errors."""

import importlib
import re
from functools import cache
from pathlib import Path

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "Orchestrate, cmn, gossipgrad, bocl"
author = "The maintainers of this repository"
copyright = author  # noqa: A001  Sphinx's name for it

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # an included section begins below its page's title

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True, "inherited-members": False}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

PACKAGES = ("bocl", "cmn", "gossipgrad", "sigopt_orchestrate")

# A type hint may name what no page here describes: another project (whose inventory would need the
# network) or an inner module of ours. What a package exports must be found.
nitpick_ignore_regex = [("py:.*", rf"(?!({'|'.join(PACKAGES)})\.\w+$).*")]


def escape_markup(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Makes our docstrings reStructuredText: backticks are code, and stars and bars themselves."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...", "*")):  # doctests, and **options as arguments
            continue
        parts = line.replace("``", "`").split("`")
        parts[::2] = [re.sub(r"([*|]|(?<=\w)_\b)", r"\\\1", part) for part in parts[::2]]
        lines[number] = "``".join(parts)


def link_guides(_app: Sphinx, path: Path, _page: str, content: list[str]) -> None:
    """Makes a README's links to its package's guides links to the pages that include them."""
    if path.name == "README.md":
        content[0] = re.sub(r"\]\(docs/([\w-]+\.md)\)", r"](\1)", content[0])
    if path.parent.name == "examples":  # docs/examples.md includes it, a folder away from its files
        content[0] = re.sub(r"\]\((?=\w+[/)])", "](../examples/", content[0])


@cache
def public_names() -> dict[str, str]:
    """Returns the public name of every object that a package exports, by where it is defined."""
    things = {
        f"{package}.{name}": getattr(importlib.import_module(package), name)
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
    }
    return {
        f"{thing.__module__}.{thing.__qualname__}": public
        for public, thing in things.items()
        if hasattr(thing, "__qualname__")
    }


def resolve_by_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Finds what a type hint calls by its module, `cmn.recommender.CMN`, under its public name."""
    public = public_names().get(node.get("reftarget", ""))
    if public is None:
        return None
    domain = env.get_domain("py")
    found = domain.resolve_any_xref(env, node["refdoc"], app.builder, public, node, content)
    return found[0][1] if found else None


def setup(app: Sphinx) -> None:
    """Connects the above."""
    app.connect("autodoc-process-docstring", escape_markup, priority=400)  # before napoleon
    app.connect("include-read", link_guides)
    app.connect("missing-reference", resolve_by_public_name)
