"""Sphinx's settings; `make docs` builds the site into docs/_build, and warnings are errors."""

import importlib
from typing import Any

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

# What no page here describes: other projects (inventories would need the network), type variables,
# and our own inner modules, whose docstrings are read in the code.
nitpick_ignore_regex = [
    ("py:.*", r"(np|numpy|torch|nn|scipy|sparse|pd|pandas|optim|click|plotly|sklearn)\..*"),
    ("py:.*", r"(collections|contextlib|datetime|pathlib|types|typing|os|abc)\..*"),
    (
        "py:.*",
        r"(Tensor|NDArray|ArrayLike|Path|Callable|Iterable|Iterator|Mapping|Sequence)(\[.*)?",
    ),
    ("py:.*", r"(bocl|cmn|gossipgrad|sigopt_orchestrate)\.\w+(\.\w+)+"),
]


def public_names() -> dict[str, str]:
    """Returns the public name of every object that a package exports, by where it is defined."""
    return {
        f"{thing.__module__}.{name}": f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if hasattr(thing := getattr(importlib.import_module(package), name), "__module__")
    }


def resolve_by_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Finds what a type hint calls by its module, `cmn.recommender.CMN`, under its public name."""
    public = app.config.public_names.get(node.get("reftarget", ""))
    if public is None:
        return None
    domain = env.get_domain("py")
    found: Any = domain.resolve_any_xref(env, node["refdoc"], app.builder, public, node, content)
    return found[0][1] if found else None


def setup(app: Sphinx) -> None:
    """Connects the above."""
    app.add_config_value("public_names", public_names(), "env")
    app.connect("missing-reference", resolve_by_public_name)
