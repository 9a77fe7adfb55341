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

"""Twelve routers: a node emptied, whatever interrupts it, and evened out."""

import collections
from collections.abc import Sequence
from concurrent import futures
import json
import os
import signal
import subprocess
from typing import Any

from tests.functional import base
from tests.lab import pinging

NODE = 'net1'
ROUTERS = 12
#: on the node, so that an evacuation can be interrupted twice with some left
ENOUGH = 7
#: as for one failover, in seconds
WORST = 0.5


class TestFleet(base.LabTest):
    """The routers of the lab, and eleven more for the time of the test."""

    def setUp(self) -> None:
        super().setUp()
        self.settled()
        self.routers = {'r1': self.router}
        # ten for each project, by default
        quotas = f'/quotas/{self.lab.facts["project demo"]}'
        self.addCleanup(self.lab.admin.neutron, 'DELETE', quotas)
        self.lab.admin.neutron('PUT', quotas, {'quota': {'router': 20}})
        names = [f'fleet{number:02}' for number in range(1, ROUTERS)]
        self.addCleanup(self._delete, names)
        with futures.ThreadPoolExecutor(4) as pool:
            made = pool.map(self._create, names)
            self.routers.update(zip(names, made, strict=True))
        for router_id in self.routers.values():
            self.lab.wait_settled(router_id)

    def _create(self, name: str) -> str:
        return str(self.lab.create_router(name))

    def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            self.lab.delete_router(name, wait=False)

    def active(self) -> dict[str, str]:
        """Router name -> the one node that holds its address."""
        found = {}

        def look() -> bool:
            for name, router_id in self.routers.items():
                found[name] = self.lab.vip_nodes(router_id)
            return all(len(nodes) == 1 for nodes in found.values())

        # what was killed in the middle takes a moment to come to rest
        self.wait('one holder of each address', look)
        return {name: nodes[0] for name, nodes in found.items()}

    def load(self) -> dict[str, int]:
        """Node -> how many routers are active there."""
        counted = collections.Counter(self.active().values())
        return {node: counted[node] for node in self.lab.nodes}

    def start(self, *words: str) -> 'subprocess.Popen[str]':
        """Start the real command, in a process group of its own."""
        command = [self.openstack, 'router', 'ha', *words]
        return subprocess.Popen(
            self.lab.enter([*command, '-f', 'json']),
            env=self.lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ended(
        self, process: 'subprocess.Popen[str]', code: int
    ) -> list[dict[str, Any]]:
        """Return the rows of a command that ends by itself."""
        stdout, stderr = process.communicate(timeout=400)
        self.assertNotIn('Traceback', stderr)
        self.assertEqual(code, process.returncode, stdout + stderr)
        rows: list[dict[str, Any]] = json.loads(stdout)
        return rows

    def interrupt(self, number: int, *words: str) -> list[dict[str, Any]]:
        """Send a signal once the first router has moved; return the rows."""
        process = self.start(*words)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith('moved:'):
                break
        os.killpg(process.pid, number)
        if number == signal.SIGKILL:
            process.communicate(timeout=60)
            return []
        return self.ended(process, 3)

    def test_evacuate_and_rebalance(self) -> None:
        before = self.active()
        here = [name for name, node in before.items() if node == NODE]
        if len(here) < ENOUGH:
            self.fill(before, ENOUGH)
            here = [n for n, node in self.active().items() if node == NODE]
        gateways = {n: self.lab.gateway(i) for n, i in self.routers.items()}
        with pinging.Pings(
            self.lab.layout, list(gateways.values()), 600
        ) as pings:
            self.empty(here)
            self.even()
        for name, address in gateways.items():
            outage = pings.trails[address].outage()
            self.assertLessEqual(outage, WORST, name)

    def fill(self, active: dict[str, str], number: int) -> None:
        """Move routers to the node until it has so many."""
        there = [name for name, node in active.items() if node == NODE]
        others = [name for name in active if name not in there]
        with futures.ThreadPoolExecutor(4) as pool:
            moves = others[: number - len(there)]
            done = list(pool.map(self._move, moves))
        self.assertEqual([0] * len(moves), done)

    def _move(self, name: str) -> int:
        words = ('router', 'ha', 'failover', self.routers[name])
        done = self.lab.openstack(*words, '--to', NODE, '--auto-approve')
        return done.returncode

    def empty(self, here: Sequence[str]) -> None:
        words = ('evacuate', NODE, '--auto-approve', '--parallel', '2')
        rows = self.interrupt(signal.SIGINT, *words)
        results = collections.Counter(row['Result'] for row in rows)
        self.assertEqual(len(here), len(rows))
        self.assertEqual({'verified', 'not begun'}, set(results))
        self.interrupt(signal.SIGKILL, *words)
        left = [n for n, node in self.active().items() if node == NODE]
        self.assertLess(len(left), results['not begun'])
        rows = self.ended(
            self.start('evacuate', NODE, '--auto-approve', '--parallel', '4'),
            0,
        )
        self.assertEqual({'verified'}, {row['Result'] for row in rows})
        self.assertEqual(0, self.load()[NODE])
        rows = self.ended(self.start('evacuate', NODE, '--auto-approve'), 0)
        self.assertEqual([], rows)

    def even(self) -> None:
        load = self.load()
        needed = sum(max(0, number - 4) for number in load.values())
        planned = self.ended(self.start('rebalance', '--dry-run'), 0)
        self.assertEqual(needed, len(planned))
        self.assertEqual(load, self.load())
        rows = self.ended(self.start('rebalance', '--auto-approve'), 0)
        self.assertEqual({'verified'}, {row['Result'] for row in rows})
        self.assertEqual(needed, len(rows))
        self.assertEqual({4}, set(self.load().values()))
        self.assertEqual(0, self.check(router='r1').exit_code)
