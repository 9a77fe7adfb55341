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

"""What could not be looked at (RHA9xx): never silently OK."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import report
from osc_ha_router.model import view

#: fields of a view that the rules judge, in words
_JUDGED = {
    'links': 'devices',
    'addresses': 'addresses',
    'routes': 'routes',
    'processes': 'processes',
    'ipv6_forwarding': 'IPv6 forwarding',
}
_LOOK_AGAIN = 'nobody looked at that; run the check against the cloud itself'
_ASK = 'nothing is known to be wrong; an administrator sees all of it'


def nodes(this: case.Case) -> Iterator[report.Finding]:
    """Nodes that could not be looked at, wholly or in part."""
    for replica in this.hosted:
        if replica.view is None:
            if replica.failure is not None:
                yield catalogue.finding(
                    'node-unreachable',
                    replica.host,
                    message=replica.failure.message,
                    advice=replica.failure.advice,
                )
            else:
                yield _not_looked_at(
                    replica.host, 'anything on this node', _LOOK_AGAIN
                )
        else:
            yield from _view(replica, replica.view)


def _view(
    replica: report.Replica, shown: view.NodeView
) -> Iterator[report.Finding]:
    if shown.namespace is None:
        return
    blind = [
        words
        for field, words in _JUDGED.items()
        if getattr(shown, field) is None
    ]
    if not shown.files:
        blind.append('keepalived.conf and the state file')
    if not blind and replica.observed != report.Observed.UNKNOWN:
        return
    why = '; '.join(f'{p.what}: {p.message}' for p in shown.problems)
    if blind:
        yield _not_looked_at(
            replica.host, ', '.join(blind), why or _LOOK_AGAIN
        )
    else:
        yield _not_looked_at(
            replica.host,
            'whether it holds the VIP, which no keepalived.conf names',
            why or _LOOK_AGAIN,
        )


def claims(this: case.Case) -> Iterator[report.Finding]:
    """What Neutron did not tell."""
    router = this.router
    blind = [
        words
        for value, words in (
            (router.agents, 'which L3 agents host the router'),
            (router.ports, 'its ports'),
            (router.floating_ips, 'its floating IPs'),
        )
        if value is None
    ]
    # a gap says the same with the reason
    if router.gaps:
        for gap in router.gaps:
            yield catalogue.finding(
                'claim-unknown', None, what=gap, advice=_ASK
            )
    elif blind:
        yield catalogue.finding(
            'claim-unknown', None, what=', '.join(blind), advice=_LOOK_AGAIN
        )
    if router.service is not None:
        yield catalogue.finding(
            'service-unavailable',
            None,
            message=router.service.message,
            advice=router.service.advice,
        )


def _not_looked_at(host: str, what: str, advice: str) -> report.Finding:
    return catalogue.finding('not-looked-at', host, what=what, advice=advice)
