"""What a task adds: units per level, and whether it reads earlier tasks' features."""

from __future__ import annotations

from dataclasses import dataclass

from bocl.errors import SettingsError


@dataclass(frozen=True, order=True)
class Growth:
    """A choice of the search.

    Attributes:
        widths: new units (filters) per level, bottom first.
        reuse: whether levels read the features of earlier tasks' blocks.
    """

    widths: tuple[int, ...]
    reuse: bool = True

    def __str__(self) -> str:
        return "-".join(map(str, self.widths)) + ("" if self.reuse else " alone")

    @property
    def none(self) -> bool:
        """Whether only a head, with its gates, is added."""
        return not any(self.widths)

    def check(self, *, first: bool) -> None:
        """Raises SettingsError where new units could feed nothing or be fed by nothing."""
        if min(self.widths) < 0:
            raise SettingsError(f"growth {self} has a negative width; widths are 0 or more")
        if not self.feasible or (first and self.reuse):
            raise SettingsError(
                f"growth {self} leaves units without input or without reader: widths may be 0 only "
                "below all others, and only with reuse of an earlier task's features"
            )

    @property
    def feasible(self) -> bool:
        """Whether every new unit is read and, without reuse, fed by new units."""
        if not self.reuse:
            return min(self.widths) > 0
        grown = [width > 0 for width in self.widths]
        return grown == sorted(grown)
