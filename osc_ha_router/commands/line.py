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

"""What a check found, in one line for Nagios and what speaks its language.

The syntax is that of the Monitoring Plugins: ``SERVICE STATE - sentence |
label=value ...``.
"""

from collections.abc import Collection
from collections.abc import Sequence

from osc_ha_router import text
from osc_ha_router.commands import columns
from osc_ha_router.model import report

SERVICE = 'ROUTER_HA'
#: by exit code
STATES = ('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')
UNKNOWN = STATES.index('UNKNOWN')

#: bytes of a line with its end, which every monitor takes
LIMIT = 4096
#: how many routers of one severity are named
_NAMED = 5
#: characters of a name
_NAME = 64

Reports = Sequence[report.Report]


def found(
    reports: Reports,
    state: int,
    encoding: str = 'utf-8',
    unseen: Sequence[str] = (),
) -> str:
    """Return the line for what was found.

    :param state: index of ``STATES``
    :param encoding: in which the line can be written
    :param unseen: hosts without any of the routers that could not be looked
        at
    """
    counts = {
        severity: sum(item.health == severity for item in reports)
        for severity in report.Severity
    }
    parts = [
        f'{counts[severity]} {severity} ({_named(severity, reports)})'
        for severity in (
            report.Severity.ERROR,
            report.Severity.WARNING,
            report.Severity.UNKNOWN,
        )
        if counts[severity]
    ]
    parts += [
        f'{counts[severity]} {severity}'
        for severity in (report.Severity.INFO, report.Severity.OK)
        if counts[severity]
    ]
    if unseen:
        parts.append(f'{_nodes(unseen)} not looked at')
    elif state == UNKNOWN and not counts[report.Severity.UNKNOWN]:
        # with --fail-on error, a WARNING that does not count covers it
        parts.append('not all looked at')
    sentence = ', '.join(parts) or 'there is no HA router that you can see'
    perfdata = _perfdata(reports, counts, unseen)
    return _compose(state, sentence, perfdata, encoding)


def _nodes(hosts: Sequence[str]) -> str:
    """Return which nodes these are, in a few words."""
    names = ', '.join(map(_short, sorted(hosts)[:_NAMED]))
    more = len(hosts) - _NAMED
    names += f' and {more} more' * (more > 0)
    return f'{len(hosts)} node{"s" * (len(hosts) > 1)} ({names})'


def _named(severity: report.Severity, reports: Reports) -> str:
    """Return which routers have this health, and why, in a few words."""
    titles = columns.titles(reports)
    named = sorted(
        f'{_short(titles[item.router.id])} {_worst(item)}'
        for item in reports
        if item.health == severity
    )
    more = len(named) - _NAMED
    return ', '.join(named[:_NAMED]) + (f' and {more} more' * (more > 0))


def _worst(item: report.Report) -> str:
    # findings are in order, those that do not count at the end
    worst = item.findings[0]
    return worst.name + (f' on {_short(worst.host)}' if worst.host else '')


def _perfdata(
    reports: Reports,
    counts: dict[report.Severity, int],
    unseen: Sequence[str],
) -> dict[str, int]:
    replicas = [replica for item in reports for replica in item.replicas]
    return {
        'routers': len(reports),
        **{
            severity.lower(): counts[severity]
            for severity in (
                report.Severity.OK,
                report.Severity.INFO,
                report.Severity.WARNING,
                report.Severity.ERROR,
                report.Severity.UNKNOWN,
            )
        },
        'active': sum(len(item.active_hosts) == 1 for item in reports),
        'hosts': len(_hosts(replicas).union(unseen)),
        'unreachable': len(
            _hosts([r for r in replicas if r.failure]).union(unseen)
        ),
    }


def _hosts(replicas: Collection[report.Replica]) -> set[str]:
    return {replica.host for replica in replicas}


def failed(message: str, encoding: str = 'utf-8') -> str:
    """Return the line for a check that came to no verdict."""
    return _compose(UNKNOWN, text.one_line(message, 1000), {}, encoding)


def _compose(
    state: int, sentence: str, perfdata: dict[str, int], encoding: str
) -> str:
    """Put a line together; the sentence is what gives way."""
    start = f'{SERVICE} {STATES[state]} - '
    end = ' '.join(f'{label}={value}' for label, value in perfdata.items())
    end = f' | {end}' if end else ''
    room = LIMIT - len(start) - len(end) - len('\n')
    # what follows a pipe character is taken for perfdata
    data = sentence.replace('|', '/').encode(encoding, 'backslashreplace')
    if len(data) > room:
        data = data[: room - len('...')] + b'...'
    return start + data.decode(encoding, 'ignore') + end


def _short(name: str) -> str:
    return text.one_line(name, _NAME)
