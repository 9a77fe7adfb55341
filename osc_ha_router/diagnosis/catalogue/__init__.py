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

"""The finding catalogue: every finding there is, and what to know of it.

The data files of this folder are the one place: the rules, the commands,
the tests and the documentation read them. One file holds one family, an
entry has the keys of ``Entry``.
"""

import dataclasses
import enum
import functools
import importlib.resources
import shlex
from typing import Any

import yaml

from osc_ha_router.model import report

#: where the documentation has a page for each finding
DOCUMENTATION = 'https://docs.openstack.org/osc-ha-router/latest/findings/'

#: what a node or a capture decides, and hints have as a word of a command
_IN_COMMANDS = frozenset(
    ('agent_id', 'device', 'namespace', 'router_id', 'vip')
)


class Bars(enum.StrEnum):
    """Where a finding makes a failover unsafe, so that nobody may ignore it.

    All others from UNKNOWN up also keep a failover from being begun, until
    they are cured or ignored by their code.
    """

    #: nowhere
    NEVER = 'never'
    #: on a node that would take over
    TARGET = 'target'
    #: there, and on the node that is active now
    ENDS = 'ends'
    #: wherever it is
    ALWAYS = 'always'


@dataclasses.dataclass(frozen=True)
class Step:
    """A command that confirms the finding, and what is seen then."""

    run: str
    expect: str


@dataclasses.dataclass(frozen=True)
class Lookalike:
    """A finding that looks the same from the API."""

    code: str
    #: how to tell the two apart
    how: str


@dataclasses.dataclass(frozen=True)
class Bug:
    """A known bug that leads to the finding."""

    #: tracker and number, LP 1703078
    id: str
    url: str
    title: str
    #: affected and fixed releases where known
    releases: str = ''


@dataclasses.dataclass(frozen=True)
class Entry:
    """One kind of finding."""

    #: stable, never used again for anything else
    code: str
    #: in words, what rules and people call it
    name: str
    #: ERROR: traffic suffers or will suffer; WARNING: redundancy or
    #: Neutron's knowledge suffers; UNKNOWN: could not be looked at
    severity: report.Severity
    #: may be a move under way, so look again before reporting it
    settles: bool
    #: one line; {fields} are filled in by the rule that finds it
    summary: str
    #: one line: the next step for whoever is on call
    hint: str
    explanation: str
    confirm: tuple[Step, ...]
    #: the least dangerous step first
    fix: tuple[str, ...]
    lookalikes: tuple[Lookalike, ...] = ()
    bugs: tuple[Bug, ...] = ()
    bars: Bars = Bars.NEVER

    @property
    def documentation_url(self) -> str:
        """Return the address of the finding's page."""
        return f'{DOCUMENTATION}{self.code}.html'


@functools.cache
def entries() -> dict[str, Entry]:
    """Return the catalogue by name, in the order of the codes."""
    found = [_entry(item) for item in _load()]
    return {e.name: e for e in sorted(found, key=lambda e: e.code)}


def by_code(code: str) -> Entry | None:
    """Return the entry with this code or name, in any case."""
    wanted = code.lower()
    for entry in entries().values():
        if wanted in (entry.code.lower(), entry.name):
            return entry
    return None


def finding(name: str, host: str | None, **fields: Any) -> report.Finding:
    """Make a finding of the catalogue's entry.

    :param name: of the entry
    :param host: the node it is about, None for the router as a whole
    :param fields: what summary and hint name in braces
    """
    entry = entries()[name]
    fields['host'] = host
    return report.Finding(
        code=entry.code,
        name=entry.name,
        severity=entry.severity,
        host=host,
        summary=entry.summary.format_map(_Fields(fields)),
        hint=entry.hint.format_map(_Fields(_quoted(fields))),
        documentation_url=entry.documentation_url,
    )


def _quoted(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as they may stand in a command to be copied."""
    return {
        name: shlex.quote(value)
        if name in _IN_COMMANDS and isinstance(value, str)
        else value
        for name, value in fields.items()
    }


class _Fields(dict[str, Any]):
    """A field that a rule forgot must not cost the whole report."""

    def __missing__(self, key: str) -> str:
        return f'<{key}>'


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(
        **item
        | {
            'severity': report.Severity(item['severity']),
            'bars': Bars(item.get('bars', Bars.NEVER)),
            'confirm': tuple(Step(**step) for step in item['confirm']),
            'fix': tuple(item['fix']),
            'lookalikes': tuple(
                Lookalike(**other) for other in item.get('lookalikes', ())
            ),
            'bugs': tuple(Bug(**bug) for bug in item.get('bugs', ())),
        }
    )


def _load() -> list[dict[str, Any]]:
    # both are safe loaders; the one in C is ten times as fast
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    return [
        item
        for file in importlib.resources.files(__package__).iterdir()
        if file.name.endswith('.yaml')
        for item in yaml.load(file.read_bytes(), loader)  # noqa: S506 # nosec B506
    ]
