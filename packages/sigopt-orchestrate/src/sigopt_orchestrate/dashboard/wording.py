"""Numbers, durations and names as people read them."""

from datetime import UTC, datetime

from sigopt_orchestrate.spec import Value


def number(value: Value) -> str:
    """Returns `value` with five significant digits if it is a float, else as it is.

    Example:
        >>> number(0.00123456), number(48), number("adam")
        ('0.0012346', '48', 'adam')
    """
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def duration(seconds: float | None) -> str:
    """Returns a duration in its two largest units, nothing for None.

    Example:
        >>> duration(4.25), duration(185), duration(7500)
        ('4.2 s', '3 min 5 s', '2 h 5 min')
    """
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def moment(unix_s: float) -> str:
    """Returns a time as date, hour and minute in UTC."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"


def improvement(gained: float, reference: float) -> str:
    """Returns a gain over `reference` in words, relative where that means something.

    Example:
        >>> improvement(0.03, 0.2), improvement(-0.5, 2.0), improvement(0.3, 0.0)
        ('15 % better', '25 % worse', '0.3 better')
    """
    if gained == 0:
        return "equal"
    size = abs(gained)
    amount = f"{100 * size / abs(reference):.3g} %" if reference else number(size)
    return f"{amount} {'better' if gained > 0 else 'worse'}"


def shorten(text: str, length: int) -> str:
    """Returns `text`, cut to `length` characters with an ellipsis where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
