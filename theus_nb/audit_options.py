"""What a session may be told about its audit log, checked before anything is made."""

from __future__ import annotations

from theus_nb.errors import ContractError


def one_of(option: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of an option's values.

    Args:
        option: Its name, for the message.
        value: What was given.
        choices: What there is.

    Raises:
        ContractError: It is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        listed = " or ".join(map(repr, choices))
        msg = f"{option} is {listed}, not {value!r}"
        raise ContractError(msg)


def is_durable(durability: object, *, on_disk: bool) -> bool:
    """Tell whether runs are to wait for the disk.

    Args:
        durability: None or ``"run"``.
        on_disk: Whether the log goes to disk.

    Raises:
        ContractError: Another value, or there is no disk to wait for.
    """
    if durability is None:
        return False
    if durability != "run":
        msg = f"durability is None or 'run', not {durability!r}"
        raise ContractError(msg)
    if not on_disk:
        msg = (
            "durability='run' waits for the disk, and audit=False keeps the log in memory: give "
            "one of them"
        )
        raise ContractError(msg)
    return True
