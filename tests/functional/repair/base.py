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

"""What the tests of ``router ha repair`` on the lab share."""

from collections.abc import Callable
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from typing import Any

from tests.functional import base

#: the finding that a first look, seconds before, showed something else
CHANGED = 'RHA108'
#: how often a router that has changed meanwhile is looked at once more
LOOKS = 3


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What a node has of r1 whatever its role, to be compared."""

    namespace: bool
    configuration: str
    #: name and whether it is up
    links: frozenset[tuple[str, bool]]
    #: without those that belong to the role
    addresses: frozenset[tuple[str, str]]
    #: names of files in the router's folder
    files: frozenset[str]
    #: of the namespace, without counters
    rules: tuple[str, ...]
    #: how many of each program
    keepalived: int
    monitors: int
    #: name and VLAN of the ports on br-int
    ports: frozenset[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Repaired:
    """What one ``openstack router ha repair -f json`` came to."""

    exit_code: int
    stderr: str
    row: dict[str, Any]

    @property
    def actions(self) -> list[tuple[str | None, str]]:
        """Host and kind of each action."""
        return [(a['host'], a['action']) for a in self.row['Actions']]

    @property
    def refused(self) -> set[tuple[str, str | None]]:
        """Code and host of each refusal."""
        return {(r['code'], r['host']) for r in self.row['Refused']}


class RepairTest(base.LabTest):
    """A test that breaks router r1 and has it mended."""

    def repair(
        self,
        *arguments: str,
        approve: bool = True,
        recheck: float = 0,
        cloud: str = 'lab',
        env: dict[str, str] | None = None,
        planned: Callable[[], None] = lambda: None,
    ) -> Repaired:
        """Run the real command to its end.

        :param planned: called as soon as there is a plan
        """
        command = [self.openstack, 'router', 'ha', 'repair', 'r1']
        command += ['-f', 'json', f'--recheck={recheck:g}', *arguments]
        if approve:
            command.append('--auto-approve')
        with subprocess.Popen(
            self.lab.enter(command),
            env={**self.lab.environment(cloud), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            said = []
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if line.startswith('plan: ') and '(RHA' in line:
                    planned()
                    break
            stdout, stderr = process.communicate(timeout=180)
        stderr = ''.join(said) + stderr
        self.assertNotIn('Traceback', stderr)
        (row,) = json.loads(stdout or '[{}]')
        return Repaired(process.returncode, stderr, row)

    def cured(
        self,
        *expected: tuple[str | None, str],
        perhaps: tuple[tuple[str | None, str], ...] = (),
        **options: Any,
    ) -> Repaired:
        """Repair, and see that exactly this was done and all is well.

        :param perhaps: what it may do as well. A monitor whose agent was
            away when it had something to say ends at the next change, and
            the one after it is silent until there is another: what the
            agents are told depends on what was broken before.
        """
        repaired = self.repair(**options)
        self.assertEqual(
            (0, 'mended'),
            (repaired.exit_code, repaired.row.get('Result')),
            (repaired.stderr, repaired.row),
        )
        done = [each for each in repaired.actions if each not in perhaps]
        self.assertEqual(sorted(expected, key=str), sorted(done, key=str))
        self.assertEqual([], repaired.row['Refused'])
        self.assert_reachable()
        checked = self.check('--recheck', '2')
        for _ in range(LOOKS):
            if (CHANGED, None) not in checked.found:
                break
            # Neutron was still at it: what it was before is not the question
            checked = self.check('--recheck', '2')
        self.assertEqual([], checked.row['Findings'])
        self.assertEqual('OK', checked.row['Health'])
        return repaired

    def assert_nothing_to_do(self) -> None:
        """See that a second repair does nothing and says so."""
        before = self.snapshots()
        again = self.repair()
        self.assertEqual(0, again.exit_code, again.stderr)
        self.assertEqual('healthy', again.row['Result'])
        self.assertEqual([], again.row['Actions'])
        self.assertNotIn('act:', again.stderr)
        self.assertEqual(before, self.snapshots())

    def assert_reachable(self) -> None:
        """See that the router answers from outside, without any help."""
        for address in (
            self.lab.gateway(self.router),
            self.lab.facts['floating_ip'],
        ):
            self.wait(
                f'an answer of {address}',
                lambda address=address: self.lab.ping(address),
                5,
            )

    def assert_left(
        self, repaired: Repaired, before: dict[str, Snapshot], *codes: str
    ) -> None:
        """See that nothing was done, and that it was said why."""
        self.assertEqual(1, repaired.exit_code, repaired.stderr)
        self.assertEqual('refused', repaired.row['Result'])
        self.assertEqual([], repaired.row['Actions'])
        self.assertEqual(
            set(codes),
            {refusal['code'] for refusal in repaired.row['Refused']},
        )
        for refusal in repaired.row['Refused']:
            self.assertTrue(refusal['reason'])
            self.assertTrue(refusal['steps'])
        self.assertEqual(before, self.snapshots())

    def snapshots(self) -> dict[str, Snapshot]:
        """Return what is on every node now."""
        return {name: self.snapshot(name) for name in self.lab.nodes}

    def at_rest(self) -> dict[str, Snapshot]:
        """Return what is on every node once all have dealt with a takeover.

        An L3 agent goes on for seconds after it.
        """
        seen = [self.snapshots()]

        def unchanged() -> bool:
            holders = self.lab.active_nodes(self.router)
            claimed = self.lab.claims(self.router)
            time.sleep(3)
            seen.append(self.snapshots())
            return seen[-2] == seen[-1] and holders == [
                name for name in self.lab.nodes if claimed[name] == 'active'
            ]

        self.wait('rest', unchanged, 60)
        return seen[-1]

    def snapshot(self, name: str) -> Snapshot:
        replica = self.lab.nodes[name].router(self.router)
        node = replica.node
        links = json.loads(
            replica.run(['ip', '-json', 'link'], check=False).stdout or '[]'
        )
        files = node.run(['ls', '-A', replica.folder], check=False).stdout
        rules = replica.run(['ip6tables', '-S'], check=False).stdout
        ports = node.run(
            [
                'ovs-vsctl',
                '--format=json',
                '--columns=name,tag',
                'list',
                'Port',
            ]
        ).stdout
        return Snapshot(
            namespace=replica.exists(),
            configuration=replica.configuration(),
            links=frozenset(
                (link['ifname'], 'UP' in link['flags']) for link in links
            ),
            addresses=frozenset(
                replica.addresses(learned=False) - replica.expected()
            ),
            files=frozenset(files.split()),
            rules=tuple(rules.splitlines()),
            keepalived=len(replica.keepalived_pids()),
            monitors=1 if replica.monitor_pid() else 0,
            ports=frozenset(
                (port, str(tag)) for port, tag in json.loads(ports)['data']
            ),
        )

    def assert_as(self, before: dict[str, Snapshot], *but: str) -> None:
        """See that nothing is different on the nodes but who is active.

        :param but: nodes where the router was built anew
        """
        after = self.snapshots()
        for name in sorted(set(before) - set(but)):
            for field in dataclasses.fields(Snapshot):
                self.assertEqual(
                    getattr(before[name], field.name),
                    getattr(after[name], field.name),
                    (name, field.name),
                )

    def traces(self) -> dict[str, str]:
        """Return what of ours could be left on each node."""
        return {
            name: node.run(
                ['sh', '-c', 'ls /run/osc-ha-router/ || true'], check=False
            ).stdout
            for name, node in self.lab.nodes.items()
        }

    def kill(self, pids: list[int]) -> None:
        """End processes without a last word."""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def asleep(self, name: str, dead: bool = False) -> None:
        """Keep a node's L3 agent from doing anything until the test ends.

        :param dead: wait until Neutron takes it for dead
        """
        node = self.lab.nodes[name]
        node.signal_l3_agent(signal.SIGSTOP)
        self.addCleanup(self.awake, name)
        if dead:
            self.wait(
                'the agent to count as dead',
                lambda: not self.agent(name)['alive'],
                60,
            )

    def awake(self, name: str) -> None:
        """Let a node's L3 agent go on."""
        self.lab.nodes[name].signal_l3_agent(signal.SIGCONT)

    def agent(self, name: str) -> dict[str, Any]:
        """Return what Neutron says of a node's L3 agent."""
        (found,) = (
            agent
            for agent in self.lab.admin.agents()
            if agent['host'] == name and agent['binary'] == 'neutron-l3-agent'
        )
        return dict(found)
