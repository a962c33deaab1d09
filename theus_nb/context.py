"""What the body of a process sees: the paths of its contract, and nothing else.

The classes are in Rust, because every run reads and writes through them; ``theus_nb.access`` has
the rest of what they do.
"""

from __future__ import annotations

from theus_nb._core import Branch, Context

__all__ = ["Branch", "Context"]
