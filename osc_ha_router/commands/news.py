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

"""What is new of routers, for people in sentences, for programs as JSON."""

import abc
import collections
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
import datetime
import json
import shutil
from typing import Any
from typing import TextIO

from osc_ha_router.commands import columns
from osc_ha_router.commands import state as states
from osc_ha_router.model import report


class News(abc.ABC):
    """Says what happens, as it happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @abc.abstractmethod
    def name(
        self,
        now: Mapping[str, states.State],
        before: Mapping[str, states.State],
    ) -> None:
        """Prepare to name these routers."""

    @abc.abstractmethod
    def is_(self, item: report.Report, state: states.State) -> None:
        """Say what a router is at the beginning."""

    @abc.abstractmethod
    def all(self, states: Collection[states.State], seconds: float) -> None:
        """Say that these were all at the beginning.

        :param seconds: from one look to the next
        """

    @abc.abstractmethod
    def comes(self, item: report.Report, state: states.State) -> None:
        """Say that there is a router that was not there before."""

    @abc.abstractmethod
    def changes(
        self, item: report.Report, state: states.State, old: states.State
    ) -> None:
        """Say that a router is something else than before."""

    @abc.abstractmethod
    def goes(self, id_: str, old: states.State) -> None:
        """Say that a router is not there any more."""

    @abc.abstractmethod
    def fails(self, why: str, count: int) -> None:
        """Say that a look failed, and so many routers are unknown."""

    @abc.abstractmethod
    def works(self) -> None:
        """Say that looks work again."""

    def _write(self, *lines: str) -> None:
        encoding = getattr(self._stream, 'encoding', None) or 'utf-8'
        for line in lines:
            data = line.encode(encoding, 'backslashreplace')
            self._stream.write(data.decode(encoding) + '\n')
        # it is news only if it is read now
        self._stream.flush()


class Sentences(News):
    """For people: a line each, and below it what was found.

    :param detail: returns the lines on a finding, of so many characters
    """

    def __init__(
        self,
        stream: TextIO,
        detail: Callable[[report.Finding, int], Iterable[str]],
    ) -> None:
        super().__init__(stream)
        self._detail = detail
        self._names: collections.Counter[str] = collections.Counter()

    def name(
        self,
        now: Mapping[str, states.State],
        before: Mapping[str, states.State],
    ) -> None:
        names = {(id_, s.name) for m in (now, before) for id_, s in m.items()}
        self._names = collections.Counter(name for _, name in names)

    def is_(self, item: report.Report, state: states.State) -> None:
        self._say(
            f'{self._title(item.router.id, state)} is {_words(state)}',
            item.findings,
        )

    def all(self, states: Collection[states.State], seconds: float) -> None:
        counts = collections.Counter(state.health for state in states)
        healths = ', '.join(
            f'{counts[health]} {health}'
            for health in reversed(report.Severity)
            if counts[health]
        )
        routers = _count(len(states))
        self._say(
            f'{routers}{": " * bool(healths)}{healths}; looking again every '
            f'{seconds:g} s, Ctrl-C ends this'
        )

    def comes(self, item: report.Report, state: states.State) -> None:
        self._say(
            f'{self._title(item.router.id, state)} is new, and '
            f'{_words(state)}',
            item.findings,
        )

    def changes(
        self, item: report.Report, state: states.State, old: states.State
    ) -> None:
        title = self._title(item.router.id, state)
        words = f'{title} is {_words(state)}'
        if _words(old) != _words(state):
            words += f' (was {_words(old)})'
        if old.name != state.name:
            words += f', and was named {old.name or "nothing"}'
        gone = [
            f'  no longer: {code} {name}{f" on {host}" if host else ""}'
            for code, name, host in old.missing(state)
        ]
        self._say(words, old.new(item), gone)

    def goes(self, id_: str, old: states.State) -> None:
        self._say(
            f'{self._title(id_, old)} is not there any more (was '
            f'{_words(old)})'
        )

    def fails(self, why: str, count: int) -> None:
        unknown = ''
        if count:
            verb = 'is' if count == 1 else 'are'
            unknown = f', and {_count(count)} {verb} UNKNOWN'
        self._say(f'The look failed{unknown}: {why}')

    def works(self) -> None:
        self._say('Looks work again')

    def _title(self, id_: str, state: states.State) -> str:
        telling = state.name and self._names[state.name] == 1
        return f'Router {state.name if telling else id_}'

    def _say(
        self,
        words: str,
        findings: Iterable[report.Finding] = (),
        more: Iterable[str] = (),
    ) -> None:
        width = shutil.get_terminal_size().columns
        now = datetime.datetime.now().strftime('%Y-%m-%d %H:%M:%S')
        self._write(
            f'{now} {words}',
            *(line for f in findings for line in self._detail(f, width)),
            *more,
        )


class Objects(News):
    """For programs: a JSON object on a line of its own."""

    def name(
        self,
        now: Mapping[str, states.State],
        before: Mapping[str, states.State],
    ) -> None:
        """Do nothing: programs go by the id."""

    def all(self, states: Collection[states.State], seconds: float) -> None:
        """Do nothing: programs wait for what comes."""

    def is_(self, item: report.Report, state: states.State) -> None:
        self._say('state', _row(item))

    def comes(self, item: report.Report, state: states.State) -> None:
        self._say('new', _row(item))

    def changes(
        self, item: report.Report, state: states.State, old: states.State
    ) -> None:
        self._say('change', _row(item) | {'Before': _before(old)})

    def goes(self, id_: str, old: states.State) -> None:
        self._say(
            'gone',
            {'Router': id_, 'Name': old.name, 'Before': _before(old)},
        )

    def fails(self, why: str, count: int) -> None:
        self._say('failed', {'Message': why, 'Routers': count})

    def works(self) -> None:
        self._say('works', {})

    def _say(self, event: str, keys: dict[str, Any]) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
        self._write(json.dumps({'Time': now, 'Event': event} | keys))


def _words(state: states.State) -> str:
    """Return what a router is, in a few words."""
    if state.active:
        where = f'active on {" and ".join(state.active)}'
    elif any(seen == report.Observed.UNKNOWN for _, seen, _ in state.replicas):
        where = 'active where nobody looked, or nowhere'
    else:
        where = 'active nowhere'
    said = ''
    if state.reported != state.active:
        said = f', Neutron says {" and ".join(state.reported) or "nowhere"}'
    return f'{state.health}, {where}{said}'


def _count(number: int) -> str:
    return f'{number} router{"s" * (number != 1)}'


def _row(item: report.Report) -> dict[str, Any]:
    """Return what ``check -f json`` has of a router."""
    return {
        'Router': item.router.id,
        'Name': item.router.name,
        'Health': item.health.value,
        'Active Hosts': item.active_hosts,
        'Reported Active': item.reported_active,
        'Replicas': [columns.replica(r) for r in item.replicas],
        'Findings': [columns.finding(f) for f in item.findings],
    }


def _before(old: states.State) -> dict[str, Any]:
    return {
        'Health': old.health,
        'Active Hosts': list(old.active),
        'Reported Active': list(old.reported),
        'Findings': [
            {'code': code, 'name': name, 'host': host, 'ignored': ignored}
            for code, name, host, ignored in old.findings
        ],
    }
