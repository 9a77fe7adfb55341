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

"""How values read: short for people, structures for programs."""

import collections
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from cliff import columns

from osc_ha_router.model import report


class Name(columns.FormattableColumn[str]):
    """A router's name; people see the id where there is no telling name."""

    def __init__(self, name: str, shown: str) -> None:
        super().__init__(name)
        self._shown = shown

    def human_readable(self) -> str:
        return self._shown


def titles(reports: Collection[report.Report]) -> dict[str, str]:
    """Return id -> what to call the router: its name, if that is telling."""
    return telling({item.router.id: item.router.name for item in reports})


def telling(names: Mapping[str, str]) -> dict[str, str]:
    """Return id -> what to call each of these routers.

    :param names: id -> name
    """
    times = collections.Counter(names.values())
    return {
        id_: name if name and times[name] == 1 else id_
        for id_, name in names.items()
    }


class Maybe(columns.FormattableColumn[Any]):
    """A value that there may not be; people see an empty cell then."""

    def human_readable(self) -> Any:
        return '' if self._value is None else self._value


class Lines(columns.FormattableColumn[list[Any]]):
    """A list; people see a line for each item."""

    def human_readable(self) -> str:
        return '\n'.join(self.line(item) for item in self._value)

    def line(self, item: Any) -> str:
        """Return one item in words."""
        return str(item)


class Replicas(Lines):
    """Replica objects."""

    def line(self, item: Any) -> str:
        if item['agent_id'] is None:
            claimed = 'not hosted here'
        else:
            claimed = f'claimed {item["reported"] or "nothing"}'
        alive = '' if item['alive'] is not False else ', agent dead'
        return f'{item["host"]}: seen {item["observed"]}, {claimed}{alive}'


class Findings(Lines):
    """Finding objects; people see each kind once, and how often."""

    def human_readable(self) -> str:
        kinds: dict[str, list[str]] = {}
        for item in self._value:
            ignored = ' (ignored)' if item['ignored'] else ''
            kind = f'{item["code"]} {item["name"]}{ignored}'
            kinds.setdefault(kind, [])
            if item['host']:
                kinds[kind].append(item['host'])
        # which hosts, the sentences below the table say
        return '\n'.join(
            f'{kind} ({len(hosts)})' if len(hosts) > 1 else kind
            for kind, hosts in kinds.items()
        )


def replica(item: report.Replica) -> dict[str, Any]:
    """Return a replica as programs read it."""
    agent = item.agent
    return {
        'host': item.host,
        'agent_id': agent.id if agent else None,
        'alive': agent.alive if agent else None,
        'admin_state_up': agent.admin_state_up if agent else None,
        'reported': agent.ha_state if agent else None,
        'observed': item.observed.value,
        'vip': item.vip,
        'keepalived': item.keepalived,
        'monitor': item.monitor,
        'failure': item.failure.message if item.failure else None,
    }


def finding(item: report.Finding) -> dict[str, Any]:
    """Return a finding as programs read it."""
    return {
        'code': item.code,
        'name': item.name,
        'severity': item.severity.value,
        'host': item.host,
        'summary': item.summary,
        'hint': item.hint,
        'documentation_url': item.documentation_url,
        'ignored': item.ignored,
    }
