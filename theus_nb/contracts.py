"""The import path of the ``theus`` package: ``from theus_nb.contracts import process``."""

from theus_nb.contract import Contract
from theus_nb.decorator import process
from theus_nb.errors import ContractViolationError

__all__ = ["Contract", "ContractViolationError", "process"]
