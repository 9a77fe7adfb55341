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

"""Thirty routers at once: broken ones, moves, and a node that is dead."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
import contextlib
import dataclasses
import time
from typing import Any
from typing import TypeVar

from tests.functional import base
from tests.lab import replicas

T = TypeVar('T')

ROUTERS = 30
#: what those of the test begin with
NAME = 'sweep'
#: as many of them are made or deleted at once; Neutron takes no more here
_HANDS = 4

#: what every router has on a node, in a line: id, state file, addresses
_LOOK = """
cd /var/lib/neutron/ha_confs || exit
for id in $(ls -d */ | tr -d /); do
    echo $id $(cat $id/state) \
        $(ip -n qrouter-$id -o -4 address show | awk '{print $4}')
done
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a node has of a router, as iproute2 and the state file say."""

    state: str
    addresses: frozenset[str]

    @property
    def active(self) -> bool:
        """Whether it holds the VIP, which is the only one of its length."""
        return any(
            address.startswith('169.254.0.') for address in self.addresses
        )


class SweepTest(base.LabTest):
    """Router r1, and twenty-nine small ones for the time of the test."""

    def setUp(self) -> None:
        super().setUp()
        self.settled()
        admin = self.lab.admin
        # ten for each project, by default
        quotas = f'/quotas/{self.lab.facts["project demo"]}'
        self.addCleanup(admin.neutron, 'DELETE', quotas)
        admin.neutron('PUT', quotas, {'quota': {'router': ROUTERS + 10}})
        #: name -> id of all, and of the new ones their own address
        self.routers = {'r1': self.router}
        self.addresses: dict[str, str] = {}
        self.addCleanup(self._delete)
        names = [f'{NAME}{number:02}' for number in range(1, ROUTERS)]
        for name, made in zip(names, _each(self._create, names), strict=True):
            self.routers[name], self.addresses[name] = made
        self.wait('all routers to settle', self.is_settled, 150)

    def _create(self, name: str) -> tuple[str, str]:
        """Make a router with a gateway only; return its id and address."""
        outside = {'network_id': self.lab.facts['public']}
        router = self.lab.demo.create(
            'router', name=name, external_gateway_info=outside
        )
        (fixed,) = router['external_gateway_info']['external_fixed_ips']
        return str(router['id']), str(fixed['ip_address'])

    def _remove(self, router: str) -> None:
        self.lab.admin.neutron('DELETE', f'/routers/{router}')

    def _delete(self) -> None:
        # by name: of one that took too long there is no id
        listed = self.lab.admin.neutron('GET', '/routers')['routers']
        made = {r['id'] for r in listed if r['name'].startswith(NAME)}
        _each(self._remove, made)
        self.wait(
            'the end of the routers',
            lambda: not any(made & set(shown) for shown in self.look()),
            90,
        )

    # -- the truth, by other means than those of the product ---------------

    def look(self) -> tuple[dict[str, Seen], ...]:
        """Return router id -> what there is of it, node by node."""
        return tuple(map(self._look, self.lab.nodes))

    def _look(self, name: str) -> dict[str, Seen]:
        found = {}
        done = self.lab.nodes[name].run(['sh', '-c', _LOOK], check=False)
        for line in done.stdout.splitlines():
            id_, *words = line.split()
            known = words[:1] if words[:1] in (['primary'], ['backup']) else []
            state = ''.join(known)
            found[id_] = Seen(state, frozenset(words) - {state})
        return found

    def active(self) -> dict[str, list[str]]:
        """Router name -> the nodes that hold its address."""
        shown = dict(zip(self.lab.nodes, self.look(), strict=True))
        return {
            name: [
                node
                for node, seen in shown.items()
                if id_ in seen and seen[id_].active
            ]
            for name, id_ in self.routers.items()
        }

    def is_settled(self) -> bool:
        """Whether each is whole on one node, stands by on the others."""
        shown = dict(zip(self.lab.nodes, self.look(), strict=True))
        active = {}
        for name, id_ in self.routers.items():
            seen = {
                n: there[id_] for n, there in shown.items() if id_ in there
            }
            states = sorted(item.state for item in seen.values())
            if states != ['backup', 'backup', 'primary']:
                return False
            (node,) = (
                n for n, item in seen.items() if item.state == 'primary'
            )
            if not seen[node].active:
                return False
            own = f'{self.addresses.get(name)}/24'
            if name in self.addresses and own not in seen[node].addresses:
                return False
            active[id_] = node
        return self._claimed(active)

    def _claimed(self, active: dict[str, str]) -> bool:
        """Whether Neutron has heard of these, and of no other."""
        for id_, node in active.items():
            claims = self.lab.claims(id_)
            if [n for n, s in claims.items() if s == 'active'] != [node]:
                return False
        ports = self.lab.admin.neutron('GET', '/ports?status=DOWN')['ports']
        return not {port['device_id'] for port in ports} & set(active)

    # -- what the product says ---------------------------------------------

    def sweep(self, code: int, *arguments: str) -> dict[str, dict[str, Any]]:
        """Return router name -> its row, and see that it is all of them."""
        done = self.lab.openstack(
            'router', 'ha', 'check', '-f', 'json', *arguments
        )
        checked = base.Checked(done)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(code, done.returncode, _worst(checked.rows))
        rows = {row['Name']: row for row in checked.rows}
        self.assertEqual(
            self.routers, {name: row['Router'] for name, row in rows.items()}
        )
        return rows

    def logins(self) -> list[int]:
        """Return how many there were over SSH, on each node."""
        return [
            (self.lab.layout.logs / f'{name}.sshd.log')
            .read_text()
            .count('Accepted publickey')
            for name in self.lab.nodes
        ]

    def assert_right(
        self,
        row: dict[str, Any],
        active: Sequence[str],
        but: Iterable[str] = (),
    ) -> None:
        """See that all replicas are what they are, but for those on nodes.

        :param active: the nodes that hold the address
        :param but: nodes that nothing is known of
        """
        expected = {
            node: 'active' if node in active else 'standby'
            for node in self.lab.nodes
        } | dict.fromkeys(but, 'unknown')
        observed = {r['host']: r['observed'] for r in row['Replicas']}
        self.assertEqual(expected, observed, row['Findings'])
        there = [node for node in active if node not in but]
        self.assertEqual(there, sorted(row['Active Hosts']))

    # -- the test ----------------------------------------------------------

    def test_thirty(self) -> None:
        """In one test, as making the routers takes most of the time."""
        self.healthy()
        self.moving()
        began = time.monotonic()
        # one that is silent takes all the time there is, and no more
        bounds = ('--timeout', '15', '--probe-timeout', '60')
        self.dead_node(3, self._silent, {}, *bounds)
        self.assertLess(time.monotonic() - began, 30)
        broken = self.breaking()
        rows = self.sweep(5)
        self.assert_broken(rows, broken)
        # twice would show no more
        self.dead_node(5, self._closed, broken, '--recheck', '0')

    def healthy(self) -> None:
        active, before = self.active(), self.logins()
        rows = self.sweep(0)
        for name, row in rows.items():
            self.assertEqual(('OK', []), (row['Health'], row['Findings']))
            self.assert_right(row, active[name])
        # one for each node, however many routers
        self.assertEqual([n + 1 for n in before], self.logins())

    def moving(self) -> None:
        """Some move on demand and some by themselves: no false error."""
        before = self.active()
        *hurt, wished, too = [name for name in self.addresses][:5]
        with futures.ThreadPoolExecutor() as pool:
            moves = [
                pool.submit(self._failover, name) for name in (wished, too)
            ]
            for name in hurt:
                self._disturb(name, before[name][0])
            # five at a time keep this cloud busy for longer than ten seconds
            rows = self.sweep(0, '--recheck', '25')
            for move in moves:
                self.assertEqual(0, move.result().returncode, move.result())
        for row in rows.values():
            self.assertIn(row['Health'], ('OK', 'INFO'), row['Findings'])
        self.wait('all routers to settle', self.is_settled, 60)
        after = self.active()
        for name in (*hurt, wished, too):
            self.assertNotEqual(before[name], after[name], name)

    def _failover(self, name: str) -> Any:
        return self.lab.openstack(
            'router', 'ha', 'failover', name, '--auto-approve', '-f', 'json'
        )

    def _replica(self, name: str, node: str) -> replicas.Replica:
        return self.lab.nodes[node].router(self.routers[name])

    def _disturb(self, name: str, node: str) -> None:
        """Have a node lose a router's active role, for another to take it."""
        replica = self._replica(name, node)
        device = str(replica.ha_device())
        for state in ('down', 'up'):
            replica.run(['ip', 'link', 'set', device, state])

    def breaking(self) -> dict[str, tuple[str, str, str | None]]:
        """Break three; return name -> health, code and node of each."""
        active = self.active()
        cut, bare, down = [name for name in self.addresses][-3:]
        self._replica(cut, active[cut][0]).cut()

        node = active[bare][0]
        replica = self._replica(bare, node)
        own = f'{self.addresses[bare]}/24'
        (device,) = (d for d, a in replica.expected() if a == own)
        replica.run(['ip', 'address', 'del', own, 'dev', device])

        lame = next(n for n in self.lab.nodes if n not in active[down])
        replica = self._replica(down, lame)
        device = str(replica.ha_device())
        replica.run(['ip', 'link', 'set', device, 'down'])
        self.wait('two holders', lambda: len(self.active()[cut]) == 2)
        return {
            cut: ('ERROR', 'RHA104', None),
            bare: ('ERROR', 'RHA501', node),
            down: ('WARNING', 'RHA401', lame),
        }

    def assert_broken(
        self,
        rows: dict[str, dict[str, Any]],
        broken: dict[str, tuple[str, str, str | None]],
    ) -> None:
        active = self.active()
        for name, row in rows.items():
            health, code, node = broken.get(name, ('OK', None, None))
            self.assertEqual(health, row['Health'], row['Findings'])
            found = [(f['code'], f['host']) for f in row['Findings']]
            if code is None:
                self.assertEqual([], found)
                self.assert_right(row, active[name])
            else:
                self.assertIn((code, node), found)
                self.assertEqual(active[name], sorted(row['Active Hosts']))

    def dead_node(
        self,
        code: int,
        dying: Callable[[str], contextlib.AbstractContextManager[None]],
        broken: dict[str, tuple[str, str, str | None]],
        *arguments: str,
    ) -> None:
        """One cannot be reached: the others' results are complete."""
        active = self.active()
        dead = next(
            name
            for name in self.lab.nodes
            # what is broken is to be seen all the same
            if name not in [node for _, _, node in broken.values()]
        )
        with dying(dead):
            rows = self.sweep(code, *arguments)
        for name, row in rows.items():
            found = {(f['code'], f['host']) for f in row['Findings']}
            self.assertIn(('RHA901', dead), found)
            observed = {r['host']: r['observed'] for r in row['Replicas']}
            self.assertEqual('unknown', observed[dead])
            if name not in broken:
                self.assertEqual('UNKNOWN', row['Health'])
                self.assertEqual({('RHA901', dead)}, found)
                self.assert_right(row, active[name], [dead])
        for name, (_, code_, node) in broken.items():
            if node is not None:
                found = {
                    (f['code'], f['host']) for f in rows[name]['Findings']
                }
                self.assertIn((code_, node), found)

    @contextlib.contextmanager
    def _closed(self, name: str) -> Iterator[None]:
        """Let a node refuse whoever wants to look at it."""
        self.lab.nodes[name].stop_sshd()
        try:
            yield
        finally:
            self.lab.nodes[name].start_sshd()

    @contextlib.contextmanager
    def _silent(self, name: str) -> Iterator[None]:
        """Let a node not even answer."""
        node = self.lab.nodes[name]
        rule = 'INPUT --protocol tcp --dport 22 --jump DROP'.split()
        node.run(['iptables', '--insert', *rule])
        try:
            yield
        finally:
            node.run(['iptables', '--delete', *rule])


def _each(call: Callable[[str], T], items: Iterable[str]) -> list[T]:
    """Call for each, some at once."""
    with futures.ThreadPoolExecutor(_HANDS) as pool:
        return list(pool.map(call, items))


def _worst(rows: Iterable[dict[str, Any]]) -> str:
    """Return what is wrong, for whoever reads why a test failed."""
    return '; '.join(
        f'{row["Name"]} {finding["code"]} on {finding["host"]}: '
        f'{finding["summary"]}'
        for row in rows
        for finding in row['Findings']
    )
