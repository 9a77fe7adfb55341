# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.
"""Long lists, printed in less time than cliff takes for them.

For a table it needs all rows before it prints the first. Here the widths are
settled beforehand, and the rows come out in batches that fit together, while
others are still being made. Its JSON goes out word by word.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import threading
from typing import Any

from cliff import columns
import msgspec
import prettytable

#: what a column takes besides its content
_FRAME = len(' | ')
#: characters that the last column keeps on a narrow terminal
_LEAST = 16


class Printer:
    """Prints a table in pieces that end with a newline.

    A context manager; without an error the table is whole at its end.

    :param write: takes a piece; it may be called in another thread, never
        in two at the same time
    :param names: of the columns
    :param widths: of the columns, in characters; what is longer is wrapped
    :param batch: so many rows are printed at once
    :param pause: seconds after which fewer are printed as well, also while
        whoever has the rows waits for the next one
    """

    def __init__(
        self,
        write: Callable[[str], object],
        names: Sequence[str],
        widths: Mapping[str, int],
        batch: int = 200,
        pause: float = 0.5,
    ) -> None:
        self._write = write
        self._names = names
        self._widths = widths
        self._size = batch
        self._pause = pause
        #: guards what follows
        self._lock = threading.Lock()
        self._batch: list[list[Any]] = []
        self._first = True
        self._timer: threading.Timer | None = None
        self._failure: Exception | None = None

    def __enter__(self) -> 'Printer':
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        with self._lock:
            if kind is not None:
                self._batch.clear()
            elif self._batch or self._first:
                self._print()
            self._stop()
        if kind is None:
            self._raise()
            # the line below the last row is the same as above the first
            head = _table(
                self._names, [[''] * len(self._names)], self._widths
            ).get_string()
            self._write(head.partition('\n')[0] + '\n')

    def add(self, row: Sequence[Any]) -> None:
        """Take a row.

        :raises Exception: what ``write`` raised meanwhile
        """
        cells = [_shown(cell) for cell in row]
        with self._lock:
            self._batch.append(cells)
            if len(self._batch) >= self._size:
                self._print()
            elif self._timer is None:
                self._timer = threading.Timer(self._pause, self._late)
                self._timer.daemon = True
                self._timer.start()
        self._raise()

    def _late(self) -> None:
        with self._lock:
            if self._batch:
                try:
                    self._print()
                except Exception as exc:
                    # for the thread that has the rows
                    self._failure = exc

    def _print(self) -> None:
        self._stop()
        piece = _piece(self._names, self._batch, self._widths, self._first)
        self._batch, self._first = [], False
        self._write(piece)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def document(
    names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str | None:
    """Return the JSON that cliff would print.

    :param names: of the columns
    :return: None for what it would have to write as escapes
    """
    data = msgspec.json.encode(
        [dict(zip(names, map(_machine, row), strict=True)) for row in rows]
    )
    # DEL controls terminals and is in ASCII
    if not data.isascii() or b'\x7f' in data:
        return None
    return msgspec.json.format(data, indent=2).decode()


def widths(
    names: Sequence[str], longest: Mapping[str, int], room: int | None
) -> dict[str, int]:
    """Return the widths of columns.

    :param names: of the columns; the last one gives way
    :param longest: what may be in them, in characters
    :param room: of the terminal, None: as much as there is to say
    """
    found = {name: max(len(name), longest.get(name, 0)) for name in names}
    if room is not None:
        total = sum(found.values()) + _FRAME * len(names) + 1
        last = names[-1]
        if total > room:
            narrowed = max(_LEAST, found[last] - (total - room))
            found[last] = min(found[last], narrowed)
    return found


def _piece(
    names: Sequence[str],
    rows: list[list[Any]],
    widths: Mapping[str, int],
    first: bool,
) -> str:
    """Return some rows without the line below, or above if not first."""
    room = [widths[name] for name in names]
    if not first and all(_fits(row, room) for row in rows):
        # the same in a tenth of the time
        form = '| ' + ' | '.join(f'{{:<{width}}}' for width in room) + ' |\n'
        return ''.join(form.format(*row) for row in rows)
    lines = _table(names, rows, widths).get_string(header=first).splitlines()
    return '\n'.join(lines[:-1] if first else lines[1:-1]) + '\n'


def _fits(row: list[Any], room: list[int]) -> bool:
    """Whether each cell is a line of plain characters within its width."""
    return all(
        isinstance(cell, str)
        and cell.isascii()
        and (not cell or cell.isprintable())
        and len(cell) <= width
        for cell, width in zip(row, room, strict=True)
    )


def _table(
    names: Sequence[str], rows: list[list[Any]], widths: Mapping[str, int]
) -> prettytable.PrettyTable:
    table = prettytable.PrettyTable(names)
    table.align = 'l'
    for name in names:
        table.min_width[name] = table.max_width[name] = widths[name]
    table.add_rows(rows)
    return table


def _machine(cell: Any) -> Any:
    if isinstance(cell, columns.FormattableColumn):
        return cell.machine_readable()
    return cell


def _shown(cell: Any) -> Any:
    if isinstance(cell, columns.FormattableColumn):
        return cell.human_readable()
    return cell
