"""The part of the Rust engine that knows who waits for whom besides inputs and awaits.

There is no such module at run time: see `_looking.pyi`.
"""

from theus_nb._core import Run

class Waits:
    """What `theus_nb._core.Engine` is told about turns and places."""

    def hold(self, run: Run, holder: int) -> list[int] | None:
        """Note that a run whose inputs are there waits for its turn, until another one has ended.

        Args:
            run: The run that waits.
            holder: Number of the run that has the turn.

        Returns:
            The runs that would wait for each other for ever, from this one on; None if there is
            no such circle. Nothing is noted if there is one, or if either run has ended.
        """
    def unhold(self, run: Run, holder: int) -> None:
        """Take back one `hold`; nothing happens if there is none."""
    def limit_taken(self, limit: int, holders: list[int]) -> None:
        """Say who has the places of a limit.

        Args:
            limit: Names it; numbers of different limits differ.
            holders: Numbers of runs. Empty if a place is free: nobody waits there for a run then.
        """
    def limit_wait(self, run: Run, limit: int) -> list[int] | None:
        """Note that a run whose inputs are there waits until any one of the holders has ended.

        Asking again for the same run looks for circles again.

        Args:
            run: The run that waits.
            limit: Where it waits for a place.

        Returns:
            Runs that would wait for each other for ever, from this one on, if none of the holders
            can end before it; else None. Nothing is noted if there is such a circle.
        """
    def limit_pass(self, run: Run) -> None:
        """Take back one `limit_wait`; nothing happens if there is none."""
