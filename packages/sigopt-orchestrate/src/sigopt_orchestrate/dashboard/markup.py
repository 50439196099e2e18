"""HTML that cannot forget to escape: what is not `Markup` is text."""

from html import escape


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """Returns an HTML element.

    Args:
        tag: Its name.
        *children: Its content in order; everything but `Markup` is escaped, None is left out.
        **attributes: Trailing underscores are dropped and inner ones become hyphens; None is left
            out.

    Example:
        >>> element("td", "a < b", class_="odd")
        '<td class="odd">a &lt; b</td>'
    """
    names = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{names}>{join(*children)}</{tag}>")


def join(*children: object) -> Markup:
    """Returns the children one after the other, escaped as by `element`."""
    return Markup("".join(_text(child) for child in children if child is not None))


def _text(child: object) -> str:
    return child if isinstance(child, Markup) else escape(str(child))
