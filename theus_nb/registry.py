"""Names of processes, and what they stand for at present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theus_nb.contract import did_you_mean
from theus_nb.errors import UnknownProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from theus_nb.process import Process


class Registry:
    """A mapping from names to processes; adding a name again redefines it.

    Args:
        parent: Where to look for names that are not here. A session keeps its cells' processes
            in a registry of its own, above the one that ``@process`` fills.
    """

    def __init__(self, parent: Registry | None = None) -> None:
        self._parent = parent
        self._processes: dict[str, Process] = {}

    def add(self, process: Process) -> Process:
        """Register a process under its name, in place of an earlier one; return it."""
        self._processes[process.name] = process
        return process

    def remove(self, name: str) -> None:
        """Forget a name; unknown names are ignored."""
        self._processes.pop(name, None)

    def get(self, name: str) -> Process:
        """Return the process of a name.

        Raises:
            UnknownProcessError: Nothing has this name; the message suggests the closest one.
        """
        found = self._processes.get(name)
        if found is not None:
            return found
        if self._parent is not None and name in self._parent:
            return self._parent.get(name)
        hint = did_you_mean(name, self.names()) or "; define it with @process or %%theus_process"
        msg = f"no process is called {name!r}{hint}"
        raise UnknownProcessError(msg, process=name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        inherited = self._parent.names() if self._parent is not None else []
        return sorted({*self._processes, *inherited})

    def __contains__(self, name: object) -> bool:
        return name in self._processes or (self._parent is not None and name in self._parent)

    def __iter__(self) -> Iterator[Process]:
        return (self.get(name) for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __repr__(self) -> str:
        return f"<Registry {', '.join(self.names()) or 'empty'}>"


default = Registry()
"""Where ``@process`` registers; every session looks here after its own."""
