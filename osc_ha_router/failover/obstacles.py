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

"""Why a replica cannot take over the active role.

Most of it the findings say, and the catalogue which of them count (see
``catalogue.Bars``). The rest is no fault while the replica is a standby, or
follows only from a comparison with the active node.
"""

from collections.abc import Iterable
from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis.rules import address
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import report
from osc_ha_router.model import view

#: findings that say that there is no keepalived to take over
_NO_KEEPALIVED = frozenset(
    (
        'keepalived-dead',
        'keepalived-hung',
        'keepalived-orphan',
        'not-looked-at',
        'stale-vip-dead-keepalived',
        'vrrp-child-dead',
    )
)
_KEYS = {
    'virtual_router_id': 'vrid',
    'advert_int': 'advert_int',
    'interface': 'interface',
    'priority': 'priority',
}
#: what must be the same on both nodes
_SAME = ('virtual_router_id', 'advert_int')


def of(
    this: case.Case,
    findings: Iterable[report.Finding],
    source: report.Replica,
) -> dict[str, tuple[str, ...]]:
    """Return by host why each other replica cannot take over from one.

    :param source: the active replica
    :return: sentences without a final dot; none: it is ready
    """
    counting = [f for f in findings if bars(f) != catalogue.Bars.NEVER]
    differ = [f for f in findings if f.name == 'conf-differs']
    return {
        replica.host: tuple(
            _Replica(
                this,
                replica,
                source,
                [f for f in counting if f.host == replica.host],
                differ,
            ).obstacles()
        )
        for replica in this.replicas
        if replica.host != source.host
    }


def bars(finding: report.Finding) -> catalogue.Bars:
    """Return where a finding makes a failover unsafe."""
    return catalogue.entries()[finding.name].bars


class _Replica:
    """One replica beside the active one."""

    def __init__(
        self,
        this: case.Case,
        replica: report.Replica,
        source: report.Replica,
        told: list[report.Finding],
        differ: list[report.Finding],
    ) -> None:
        self._this = this
        self._replica = replica
        self._source = source
        self._told = told
        self._names = {finding.name for finding in told}
        self._text = '; '.join(finding.summary for finding in told)
        #: the finding about keepalived.conf as the end of a sentence
        self._code = f' ({differ[0].code})' if differ else ''

    def obstacles(self) -> Iterator[str]:
        found = False
        for sentence in self._all():
            found = True
            yield sentence
        observed = self._replica.observed
        # the findings know all reasons; should they ever not, this does
        if not found and observed != report.Observed.STANDBY:
            yield f'it was seen as {observed}, not as standby'

    def _all(self) -> Iterator[str]:
        for finding in self._told:
            yield f'{finding.summary.rstrip(".")} ({finding.code})'
        yield from self._claimed()
        shown = self._replica.view
        if shown is None or shown.namespace is None:
            return
        yield from self._keepalived(shown)
        conf = shown.keepalived_conf
        if conf is None:
            return
        yield from self._complete(conf)
        yield from self._compared(conf)
        yield from self._devices(shown, conf)
        yield from self._adverts(shown, conf)

    def _claimed(self) -> Iterator[str]:
        """What Neutron does not say; what it says is in the findings."""
        if self._this.router.agents is None:
            yield 'Neutron does not tell whether its L3 agent lives'
        elif (
            self._replica.agent is not None
            and self._this.ha_port(self._replica.host) is None
            and 'ha-port-missing' not in self._names
        ):
            yield 'Neutron does not tell the state of its HA port'

    def _keepalived(self, shown: view.NodeView) -> Iterator[str]:
        if self._names & _NO_KEEPALIVED:
            return
        parents = {process.pid for process in evidence.parents(shown)}
        children = evidence.with_role(shown, 'keepalived-vrrp') or ()
        if not any(
            child.ppid in parents and evidence.living(child)
            for child in children
        ):
            yield 'no live keepalived with its VRRP process was seen'

    def _complete(self, conf: view.KeepalivedConf) -> Iterator[str]:
        missing = [
            key for key, name in _KEYS.items() if getattr(conf, name) is None
        ]
        if missing:
            yield f'keepalived.conf names no {" and no ".join(missing)}'
        if conf.advert_int is not None and conf.advert_int <= 0:
            yield (
                'keepalived.conf has the advertisement interval '
                f'{conf.advert_int:g}'
            )

    def _compared(self, conf: view.KeepalivedConf) -> Iterator[str]:
        """keepalived.conf against the active node's."""
        shown = self._source.view
        other = shown.keepalived_conf if shown is not None else None
        if other is None:
            return
        host = self._source.host
        for key in _SAME:
            mine, theirs = (getattr(c, _KEYS[key]) for c in (conf, other))
            if mine is not None and mine != theirs:
                yield (
                    f'keepalived.conf has {key} {mine}, on {host} it is '
                    f'{theirs}{self._code}'
                )
        mine, theirs = address.configured(conf), address.configured(other)
        if theirs - mine:
            yield (
                f'keepalived.conf lacks {words.some(theirs - mine)}, which '
                f'{host} has{self._code}'
            )
        if mine - theirs:
            yield (
                f'keepalived.conf has {words.some(mine - theirs)}, which '
                f'{host} has not{self._code}'
            )

    def _devices(
        self, shown: view.NodeView, conf: view.KeepalivedConf
    ) -> Iterator[str]:
        if shown.links is None:
            return
        links = {link.name: link for link in shown.links}
        wanted = {a.device for a in (*conf.vips, *conf.excluded)}
        wanted |= {route.device for route in conf.routes}
        missing = {
            device
            for device in wanted | {conf.interface}
            if device and device not in links and device not in self._text
        }
        if missing:
            yield (
                f'{words.some(missing)} of keepalived.conf is missing among '
                'its devices'
            )
        ha_device = links.get(conf.interface or '')
        if (
            ha_device is not None
            and not ha_device.up
            and ha_device.name not in self._text
        ):
            yield f'the HA device {ha_device.name} is down'

    def _adverts(
        self, shown: view.NodeView, conf: view.KeepalivedConf
    ) -> Iterator[str]:
        host = self._source.host
        if shown.listening is None:
            yield f'nobody listened there for advertisements of {host}'
            return
        heard = {
            evidence.bare(advert.source)
            for advert in shown.listening.adverts
            if not advert.own and advert.vrid == conf.vrid and advert.count > 0
        }
        if heard & self._senders():
            return
        instead = f', but of {words.some(heard)}' if heard else ''
        yield (
            f'no advertisement of {host} was heard there in '
            f'{shown.listening.seconds:.0f} s{instead}'
        )

    def _senders(self) -> set[str]:
        """Return the addresses that the active node can send from."""
        shown = self._source.view
        port = self._this.ha_port(self._source.host)
        known = {evidence.bare(a) for a in (port.addresses if port else ())}
        known |= {
            evidence.bare(held.address)
            for held in (shown.addresses if shown else None) or ()
            if held.device.startswith('ha-')
        }
        return known - {evidence.bare(vip) for vip in self._this.vips}
