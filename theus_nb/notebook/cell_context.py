"""``ctx`` in a cell: what any process gets, and ``ctx.commit()`` publishes the names of outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theus_nb.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Published


class CellContext(Context):
    """The context of a cell, whose outputs are what their names are bound to.

    Args:
        ctx: The context of the run.
        hand_over: Writes the present bindings of the outputs to the context.
    """

    __slots__ = ("_hand_over",)

    _hand_over: Callable[[], None]

    def __init__(self, ctx: Context, hand_over: Callable[[], None]) -> None:
        super().__init__(ctx._access)  # noqa: SLF001 - a context of the same run
        object.__setattr__(self, "_hand_over", hand_over)

    def commit(self) -> Published:
        """Publish what the names of the outputs are bound to now; see `Context.commit`."""
        self._hand_over()
        return super().commit()
