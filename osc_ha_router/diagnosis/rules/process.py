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

"""Processes and what they keep up to date (RHA3xx)."""

from collections.abc import Iterable
from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report
from osc_ha_router.model import view

ACTIVE = report.Observed.ACTIVE

#: neither active nor standby; what a stale node still runs goes when the
#: stale VIP is mended
_NO_SIDE = (report.Observed.UNKNOWN, report.Observed.STALE)

#: words of the state file, old and new, and what they claim
_STATE_WORDS = {
    'primary': True,
    'master': True,
    'backup': False,
    'fault': False,
}


def looked(
    this: case.Case,
) -> Iterable[tuple[report.Replica, view.NodeView]]:
    """Return the replicas with a namespace, leftovers left out."""
    return this.looked


def astray(this: case.Case) -> Iterator[report.Finding]:
    """keepalived of this router where nothing manages it."""
    for replica in this.replicas:
        if replica.view is None:
            continue
        for found in (
            evidence.with_role(replica.view, 'keepalived-astray') or ()
        ):
            yield catalogue.finding(
                'keepalived-astray', replica.host, pid=found.pid
            )


def keepalived(this: case.Case) -> Iterator[report.Finding]:
    """keepalived and its VRRP child."""
    for replica, shown in looked(this):
        parents = evidence.with_role(shown, 'keepalived')
        children = evidence.with_role(shown, 'keepalived-vrrp')
        if parents is None or children is None:
            continue
        yield from _hung(replica, shown)
        if not parents and not children and not replica.vip:
            yield catalogue.finding(
                'keepalived-dead', replica.host, namespace=shown.namespace
            )
        pids = {p.pid for p in parents}
        born = {child.ppid for child in children}
        for parent in parents:
            if parent.pid not in born:
                yield catalogue.finding(
                    'vrrp-child-dead', replica.host, pid=parent.pid
                )
        for child in children:
            if child.ppid not in pids:
                yield catalogue.finding(
                    'keepalived-orphan', replica.host, pid=child.pid
                )
        if len(parents) > 1:
            yield catalogue.finding(
                'several-keepalived',
                replica.host,
                count=len(parents),
                namespace=shown.namespace,
                pids=', '.join(str(pid) for pid in sorted(pids)),
            )


def _hung(
    replica: report.Replica, shown: view.NodeView
) -> Iterator[report.Finding]:
    hung = evidence.hung(shown)
    if hung:
        yield catalogue.finding(
            'keepalived-hung',
            replica.host,
            pid=', '.join(str(process.pid) for process in hung),
            state=', '.join(sorted({process.state for process in hung})),
        )


def monitor(this: case.Case) -> Iterator[report.Finding]:
    """The state-change monitor and the file that it writes."""
    for replica, shown in looked(this):
        if replica.monitor is False:
            yield catalogue.finding('monitor-dead', replica.host)
        if not shown.files or replica.vip is None:
            continue
        value = shown.state_file.value if shown.state_file else '(no file)'
        # the file follows the VIP, whether or not keepalived lives
        if _STATE_WORDS.get(value) != replica.vip:
            yield catalogue.finding(
                'state-file-differs',
                replica.host,
                value=value,
                observed=replica.observed,
            )


def helpers(this: case.Case) -> Iterator[report.Finding]:
    """radvd and the metadata proxy, on the active node and only there."""
    for replica, shown in looked(this):
        radvd = evidence.with_role(shown, 'radvd')
        proxy = evidence.with_role(shown, 'haproxy')
        if radvd is None or proxy is None or replica.observed in _NO_SIDE:
            continue
        if replica.observed != ACTIVE:
            for process in radvd[:1]:
                yield catalogue.finding(
                    'radvd-on-standby',
                    replica.host,
                    pid=process.pid,
                    observed=replica.observed,
                )
            continue
        if shown.radvd_conf and not radvd:
            yield catalogue.finding('radvd-missing', replica.host)
        if shown.metadata_conf and not proxy:
            yield catalogue.finding('metadata-proxy-missing', replica.host)


def forwarding(this: case.Case) -> Iterator[report.Finding]:
    """IPv6 forwarding: on where active, off at the gateway elsewhere.

    The agent never turns the switch for all devices off again, so as not to
    send MLD reports; on a standby only the gateway device's counts.
    """
    for replica, shown in looked(this):
        on = shown.ipv6_forwarding
        if on is None or replica.observed in _NO_SIDE:
            continue
        if replica.observed == ACTIVE:
            if 'all' not in on and _serves_ipv6(shown):
                yield catalogue.finding(
                    'ipv6-forwarding-off',
                    replica.host,
                    namespace=shown.namespace,
                )
            continue
        for device in on:
            if device.startswith('qg-'):
                yield catalogue.finding(
                    'ipv6-forwarding-on',
                    replica.host,
                    device=device,
                    observed=replica.observed,
                    cure=_switch_off(replica.host, shown),
                )


def _switch_off(host: str, shown: view.NodeView) -> str:
    if (shown.namespace or '').startswith('snat-'):
        # with DVR an agent that starts switches it on
        return (
            f'switch it off on {host} as "openstack router ha finding show '
            'RHA311" says, not by a restart of the L3 agent'
        )
    return f'restart the L3 agent on {host}'


def _serves_ipv6(shown: view.NodeView) -> bool:
    """Whether keepalived gives the node IPv6 addresses beyond fe80::."""
    conf = shown.keepalived_conf
    return conf is not None and any(
        ':' in a.address and not a.address.startswith('fe80:')
        for a in conf.excluded
    )
