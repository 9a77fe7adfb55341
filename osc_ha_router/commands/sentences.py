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
"""Findings in sentences, for people."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import textwrap

from osc_ha_router.model import report
from osc_ha_router.model import view

#: what as many routers have in common is said once
_MANY = 4
#: as many of them are named then
_NAMED = 5


class Sentences:
    """The findings of routers, as they come, without their reports.

    What many routers have in common, such as a node that cannot be reached,
    is said once for all of them.
    """

    def __init__(self) -> None:
        self._routers: list[tuple[str, tuple[report.Finding, ...]]] = []
        self._shared: dict[report.Finding, list[str]] = {}

    def add(self, item: report.Report, title: str | None = None) -> None:
        """Take one more router.

        :param title: what to call it
        """
        if not item.findings:
            return
        title = title or item.router.name or item.router.id
        self._routers.append((title, item.findings))
        for finding in item.findings:
            self._shared.setdefault(finding, []).append(title)

    def lines(self, width: int) -> Iterator[str]:
        """Yield each finding in a sentence, with what to do.

        :param width: of the lines, in characters
        """
        groups: dict[tuple[str, ...], list[report.Finding]] = {}
        for finding, titles in self._shared.items():
            if len(titles) >= _MANY:
                groups.setdefault(tuple(titles), []).append(finding)
        for many, common in groups.items():
            yield ''
            yield from _wrapped(f'{_named(many)}:', width, '', '  ')
            for finding in common:
                yield from sentence(finding, width)
        for title, findings in self._routers:
            own = [f for f in findings if len(self._shared[f]) < _MANY]
            if own:
                yield ''
                yield f'{title}:'
            for finding in own:
                yield from sentence(finding, width)


def details(reports: Iterable[report.Report], width: int) -> Iterable[str]:
    """Yield the findings of these routers in sentences."""
    sentences = Sentences()
    for item in reports:
        sentences.add(item)
    return sentences.lines(width)


def unseen(hosts: Iterable[view.HostView]) -> Iterator[str]:
    """Yield for nodes that could not be looked at what is not known.

    :param hosts: with a failure, and none of the routers
    """
    kinds: dict[str, list[view.HostView]] = {}
    for shown in hosts:
        kinds.setdefault(
            shown.failure.kind if shown.failure else '', []
        ).append(shown)
    for alike in kinds.values():
        groups = [alike] if len(alike) >= _MANY else [[one] for one in alike]
        for group in groups:
            failure = group[0].failure
            why = failure.message.rstrip('.') if failure else 'nobody tried'
            names = _some([shown.host for shown in group])
            verb = 'was' if len(group) == 1 else 'were'
            yield (
                f'{names} {verb} not looked at ({why}): what is left there of '
                'routers is not known'
            )


def sentence(finding: report.Finding, width: int) -> Iterator[str]:
    """Yield one finding as lines of at most ``width`` characters."""
    where = f' on {finding.host}' if finding.host else ''
    ignored = ' (ignored)' if finding.ignored else ''
    text = (
        f'{finding.severity}{ignored} {finding.code} {finding.name}{where}: '
        f'{finding.summary}'
    )
    yield from _wrapped(text, width, '  ', '    ')
    yield from _wrapped(finding.hint, width, '    -> ', '       ')


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _named(titles: tuple[str, ...]) -> str:
    return f'{len(titles)} routers ({_some(titles)})'


def _some(names: Sequence[str]) -> str:
    named = ', '.join(names[:_NAMED])
    more = len(names) - _NAMED
    return f'{named} and {more} more' if more > 0 else named
