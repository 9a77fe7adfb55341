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

from osc_ha_router.diagnosis import case, catalogue, evidence
from osc_ha_router.model import report, view

ACTIVE = report.Observed.ACTIVE
STALE = report.Observed.STALE
UNKNOWN = report.Observed.UNKNOWN


def stale(this: case.Case) -> Iterator[report.Finding]:
    """Addresses that a dead keepalived left behind."""
    active = this.seen(ACTIVE)
    for replica in this.seen(STALE):
        shown = replica.view
        if shown is None:
            continue
        fields = _vip(this, shown)
        if active or len(this.holders) > 1:
            yield catalogue.finding(
                'stale-vip-dead-keepalived',
                replica.host,
                others=len(_configured(shown)),
                active=hosts(active) or 'not known',
                **fields,
            )
        else:
            yield catalogue.finding(
                'stale-vip-alone', replica.host, **fields
            )


def several(this: case.Case) -> Iterator[report.Finding]:
    """Several nodes with the VIP, apart from those that ``stale`` names."""
    living = [r for r in this.holders if r.observed == ACTIVE]
    unclear = [r for r in this.holders if r.observed == UNKNOWN]
    if len(living) + len(unclear) < 2:
        # one living holder beside stale ones: ``stale`` says it all, unless
        # the only other holder could not be looked into
        if not (unclear and len(this.holders) > 1):
            return
    if unclear:
        names = hosts(unclear)
        yield _undecided(this, f'processes on {names} were not looked at')
        return
    heard = _heard(living)
    if heard is None:
        yield _undecided(this, 'nobody listened for VRRP advertisements')
        return
    senders = [r for r in living if r.host in heard[r.host]]
    silent = [r for r in living if r.host not in heard[r.host]]
    if not senders:
        yield _undecided(this, 'none of them sends VRRP advertisements')
        return
    for replica in silent:
        if replica.view is not None:
            yield catalogue.finding(
                'stale-vip-beside-backup',
                replica.host,
                active=hosts(senders),
                **_vip(this, replica.view),
            )
    if len(senders) > 1:
        deaf = any(
            other.host not in heard[one.host]
            for one in senders
            for other in senders
        )
        yield catalogue.finding(
            'ha-network-cut' if deaf else 'adverts-ignored',
            None,
            count=len(senders),
            hosts=hosts(senders),
            heard='; '.join(_hears(one, heard[one.host]) for one in senders),
        )


def nobody(this: case.Case) -> Iterator[report.Finding]:
    """No holder at all, where every replica was looked at."""
    if this.holders or not this.hosted or this.seen(UNKNOWN):
        return
    yield catalogue.finding(
        'no-active',
        None,
        states=states(this.replicas),
        hosts=hosts(this.hosted),
    )


def hosts(replicas: list[report.Replica]) -> str:
    """Return the replicas' hosts in words."""
    return ', '.join(replica.host for replica in replicas)


def states(
    replicas: list[report.Replica] | tuple[report.Replica, ...],
) -> str:
    """Return each replica's host and observed state in words."""
    return ', '.join(f'{r.host} is {r.observed}' for r in replicas)


def _undecided(this: case.Case, unknown: str) -> report.Finding:
    return catalogue.finding(
        'multiple-active',
        None,
        vip=', '.join(sorted(this.vips)),
        count=len(this.holders),
        hosts=hosts(this.holders),
        unknown=unknown,
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


def _heard(living: list[report.Replica]) -> dict[str, set[str]] | None:
    """Return listener -> hosts it heard, itself included if it sends.

    None: not every one of them was listened on. A sender that is none of
    the living holders is left out: a third node's adverts explain nothing.
    """
    by_address = {}
    for replica in living:
        for address in replica.view.addresses or () if replica.view else ():
            if address.device.startswith('ha-'):
                by_address[evidence.bare(address.address)] = replica.host
    heard = {}
    for replica in living:
        if replica.view is None or replica.view.listening is None:
            return None
        conf = replica.view.keepalived_conf
        heard[replica.host] = {
            replica.host if advert.own else by_address.get(advert.source, '')
            for advert in replica.view.listening.adverts
            if conf is None or conf.vrid in (None, advert.vrid)
        }
    return heard


def _hears(replica: report.Replica, heard: set[str]) -> str:
    others = sorted(heard - {replica.host, ''})
    if not others:
        return f'{replica.host} hears only itself'
    return f'{replica.host} hears {", ".join(others)}'
