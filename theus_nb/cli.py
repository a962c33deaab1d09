"""The command ``theus-nb``: audit logs outside of the notebook.

Exits with 0 when all is well, 1 when a log is not, 2 when the command or a log cannot be read, 130
when it was interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from theus_nb import export, log_text
from theus_nb.errors import UnreadableLogError
from theus_nb.key_file import key_of_environment
from theus_nb.logs import entries, find_logs, follow
from theus_nb.output_file import replacing
from theus_nb.proof import checkpoint_lines, read_key, verify
from theus_nb.prune import parse_age, prune
from theus_nb.verdict import terminal_safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

GOOD: Final = 0
BAD: Final = 1
UNREADABLE: Final = 2
INTERRUPTED: Final = 130

_PAUSE: Final = 0.2
"""Seconds between two looks at a log that is followed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands behind ``theus-nb``; that of the process if not given.

    Returns:
        The exit code: 0 good, 1 a log is not consistent or not complete, 2 not readable, 130
        interrupted.

    Raises:
        SystemExit: With 2 for a wrong command line, with 0 after ``--help``.
    """
    options = _parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except UnreadableLogError as error:
        print(terminal_safe(f"theus-nb: {error}"), file=sys.stderr)
        return UNREADABLE
    except BrokenPipeError:
        # Whoever read (head, less) has seen enough; the interpreter must not complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except OSError as error:
        print(terminal_safe(f"theus-nb: {error}"), file=sys.stderr)
        return UNREADABLE
    except KeyboardInterrupt:
        # That is how one stops following a log; a proof that was broken off has proven nothing.
        return GOOD if options.command is _show else INTERRUPTED
    return code


def _verify(options: argparse.Namespace) -> int:
    verdict = verify(options.path, options.checkpoint, _key(options))
    print(terminal_safe(verdict.text))
    if verdict.bad:
        return BAD
    return GOOD if verdict.ok else UNREADABLE


def _checkpoint(options: argparse.Namespace) -> int:
    out: Path | None = options.output
    # What is replaced must be confirmed first, or a rebuilt log would get a fresh checkpoint.
    known = out if out is not None and out.exists() else None
    verdict = verify(options.path, known, _key(options))
    if not verdict.ok:
        print(terminal_safe(verdict.text), file=sys.stderr)
        print("theus-nb: no checkpoint is written of what is not consistent", file=sys.stderr)
        return BAD
    lines = checkpoint_lines(verdict.logs)
    if not lines:
        msg = f"'{options.path}' has no entry to make a checkpoint of"
        raise UnreadableLogError(msg)
    if out is None:
        print(lines, end="")
    else:
        part = out.with_name(f"{out.name}.part")
        part.write_text(lines, encoding="utf-8")
        part.replace(out)
    return GOOD


def _show(options: argparse.Namespace) -> int:
    logs = find_logs(options.path)
    if options.html is not None:
        return _picture(logs, options.html)
    print(log_text.heading())
    if options.follow:
        # Their names are no help: clocks are set back.
        newest = max(logs.values(), key=lambda files: files[-1].stat().st_mtime)
        for entry in follow(newest[0].parent, lambda: time.sleep(_PAUSE)):
            print(log_text.row(entry), flush=True)
        return GOOD
    for log, files in logs.items():
        if len(logs) > 1:
            print(terminal_safe(f"-- {log}"))
        for entry in entries(files):
            print(log_text.row(entry))
    return GOOD


def _picture(logs: dict[str, list[Path]], out: Path) -> int:
    from theus_nb.timeline.from_log import document  # noqa: PLC0415 - only who draws pays for it

    with replacing(out) as file:
        made = document({log: entries(files) for log, files in logs.items()})
        file.write_text(made.html, encoding="utf-8")
    print(terminal_safe(f"{out}: {_count(made.runs, 'run', 'runs')}; open it in a browser"))
    return GOOD


def _export(options: argparse.Namespace) -> int:
    logs = {log: entries(files) for log, files in find_logs(options.path).items()}
    write, end = {
        "perfetto": (export.write_perfetto, "perfetto.json"),
        "csv": (export.write_csv, "csv"),
        "parquet": (export.write_parquet, "parquet"),
    }[options.format]
    one = next(iter(logs)) if len(logs) == 1 else "theus-audit"
    out: Path = options.out or Path(f"{one}.{end}")
    with replacing(out) as file:
        count = write(logs, file)
    if options.format == "perfetto":
        said = f"{_count(count, 'run', 'runs')}; open it at ui.perfetto.dev"
    else:
        said = _count(count, "entry", "entries")
    print(terminal_safe(f"{out}: {said}"))
    return GOOD


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _prune(options: argparse.Namespace) -> int:
    done = prune(options.path, options.keep, key=_key(options))
    for log in done.removed:
        print(terminal_safe(f"removed {log}"))
    for log, why in done.kept.items():
        print(terminal_safe(f"kept {log}: {why}"))
    if not done.removed:
        print("nothing to remove")
    return GOOD


def _key(options: argparse.Namespace) -> bytes | None:
    if options.key_file is not None:
        return read_key(options.key_file)
    return key_of_environment(UnreadableLogError)


def _age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Version(argparse.Action):
    """Shows the version."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        print(f"theus-nb {version('theus_nb')}")
        parser.exit()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse fills an optional OUT before it has seen what stands behind an option.
    if rest and options.command is _export and options.out is None and rest[0][:1] != "-":
        options.out = Path(rest.pop(0))
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="theus-nb",
        description="Audit logs outside of the notebook.",
        epilog="Exit code: 0 all is well, 1 a log is not consistent or complete, 2 not readable, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "path", metavar="PATH", type=Path, help="a log, one segment of it, or a directory of logs"
    )
    keyed = argparse.ArgumentParser(add_help=False, parents=[where])
    keyed.add_argument(
        "--key-file",
        metavar="FILE",
        help="the key of a keyed log; only its owner may read it. Default: THEUS_AUDIT_KEY_FILE",
    )

    command = commands.add_parser("verify", parents=[keyed], help="check every hash and every link")
    command.add_argument(
        "--checkpoint", metavar="FILE", help="what 'theus-nb checkpoint' wrote, kept elsewhere"
    )
    command.set_defaults(command=_verify)

    command = commands.add_parser(
        "checkpoint",
        parents=[keyed],
        help="write down how far a log reaches, for keeping elsewhere",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="where to; if it is there, the log must agree with it",
    )
    command.set_defaults(command=_checkpoint)

    command = commands.add_parser("show", parents=[where], help="print the entries as a table")
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--follow", action="store_true", help="go on until the session ends")
    instead.add_argument(
        "--html", metavar="OUT", type=Path, help="write the timeline as a page instead; overwritten"
    )
    command.set_defaults(command=_show)

    command = commands.add_parser("export", parents=[where], help="write it for other programs")
    formats = command.add_mutually_exclusive_group(required=True)
    for name, help_text in (
        ("perfetto", "a trace for ui.perfetto.dev"),
        ("csv", "a table"),
        ("parquet", "a table, by pandas"),
    ):
        formats.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, help=help_text
        )
    command.add_argument(
        "out",
        metavar="OUT",
        type=Path,
        nargs="?",
        help="the file to write; the log's name with another ending if not given",
    )
    command.set_defaults(command=_export)

    command = commands.add_parser(
        "prune", parents=[keyed], help="remove old logs, leaving a checkpoint of each"
    )
    command.add_argument(
        "--keep", metavar="AGE", type=_age, required=True, help="12h, 30d, 4w: younger ones stay"
    )
    command.set_defaults(command=_prune)
    return parser


if __name__ == "__main__":
    sys.exit(main())
