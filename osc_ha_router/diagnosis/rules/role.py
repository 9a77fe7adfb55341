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

"""Who is active: none, one or several, and why (RHA1xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import report
from osc_ha_router.model import view

ACTIVE = report.Observed.ACTIVE
STALE = report.Observed.STALE
UNKNOWN = report.Observed.UNKNOWN

_LISTEN = (
    'look again with --listen 7, which tells a stale VIP from a cut HA network'
)
_LOOK_INSIDE = (
    'look for a live keepalived in the namespace on each of these nodes; the '
    'VIP is stale where there is none'
)


def stale(this: case.Case) -> Iterator[report.Finding]:
    """Addresses on a node whose keepalived is dead or only a backup."""
    active = words.hosts(this.seen(ACTIVE))
    for replica in this.seen(STALE):
        shown = replica.view
        if shown is None:
            continue
        fields = _vip(this, shown)
        if replica.keepalived:
            yield catalogue.finding(
                'stale-vip-beside-backup',
                replica.host,
                active=active,
                **fields,
            )
        elif active or len(this.holders) > 1:
            yield catalogue.finding(
                'stale-vip-dead-keepalived',
                replica.host,
                others=len(_configured(shown)),
                active=active or 'not known',
                **fields,
            )
        else:
            yield catalogue.finding('stale-vip-alone', replica.host, **fields)


def several(this: case.Case) -> Iterator[report.Finding]:
    """Several nodes with the VIP, apart from those that ``stale`` names."""
    living = this.seen(ACTIVE)
    unclear = [r for r in this.holders if r.observed == UNKNOWN]
    if unclear and len(this.holders) > 1:
        names = words.hosts(unclear)
        yield _undecided(
            this, f'processes on {names} were not looked at', _LOOK_INSIDE
        )
    elif len(living) < 2:
        return
    elif this.heard is None:
        yield _undecided(
            this, 'nobody listened for VRRP advertisements', _LISTEN
        )
    elif not all(r.host in this.heard[r.host] for r in living):
        # one that is silent beside a sender is stale, not active
        yield _undecided(
            this, 'none of them sends VRRP advertisements', _LISTEN
        )
    else:
        deaf = any(
            other.host not in this.heard[one.host]
            for one in living
            for other in living
        )
        yield catalogue.finding(
            'ha-network-cut' if deaf else 'adverts-ignored',
            None,
            count=len(living),
            hosts=words.hosts(living),
            heard='; '.join(_hears(r, this.heard[r.host]) for r in living),
        )


def nobody(this: case.Case) -> Iterator[report.Finding]:
    """No holder at all, where every replica was looked at."""
    if this.holders or not this.hosted or this.seen(UNKNOWN):
        return
    yield catalogue.finding(
        'no-active',
        None,
        states=words.states(this.replicas),
        hosts=words.hosts(this.hosted),
    )


def _undecided(this: case.Case, unknown: str, advice: str) -> report.Finding:
    return catalogue.finding(
        'multiple-active',
        None,
        vip=', '.join(sorted(this.vips)),
        count=len(this.holders),
        hosts=words.hosts(this.holders),
        unknown=unknown,
        advice=advice,
    )


def _vip(this: case.Case, shown: view.NodeView) -> dict[str, str]:
    devices = evidence.ha_devices(shown)
    return {
        'vip': ', '.join(sorted(this.vips)),
        'namespace': shown.namespace or '',
        'device': devices[0].name if devices else 'ha-...',
    }


def _configured(shown: view.NodeView) -> set[str]:
    """Return the addresses besides the VIP that keepalived set up."""
    conf = shown.keepalived_conf
    configured = (
        {evidence.normal(a.address) for a in conf.excluded} if conf else set()
    )
    return configured & (evidence.held(shown) or frozenset())


def _hears(replica: report.Replica, heard: frozenset[str]) -> str:
    others = sorted(heard - {replica.host, ''})
    if not others:
        return f'{replica.host} hears only itself'
    return f'{replica.host} hears {", ".join(others)}'
