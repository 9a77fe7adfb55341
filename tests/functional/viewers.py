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

"""Three who look at the same moment, and have to be told the same."""

from concurrent import futures
from typing import Any

from tests.functional import base
from tests.lab import mending

#: how often they look before the cloud has to have held still
LOOKS = 3


class ViewersTest(base.LabTest):
    """A test whose every check is made by three at once.

    By an administrator over SSH, by one through the node agents, and by a
    tenant.
    """

    def check(
        self, *arguments: str, capture: str | None = None, **options: Any
    ) -> base.Checked:
        """Run the real check three times at once.

        If the cloud was another one after that, they may have seen either,
        and look again.

        :return: what it came to over SSH
        """
        for _ in range(LOOKS):
            before = self._cloud()
            looks = self._looks(*arguments, capture=capture, **options)
            if self._cloud() == before:
                break
        by_ssh, by_agent, as_tenant = looks
        self._assert_same(_plain(by_ssh), _plain(by_agent))
        self.assert_told(by_ssh, as_tenant)
        return by_ssh

    def _looks(
        self, *arguments: str, capture: str | None, **options: Any
    ) -> tuple[base.Checked, base.Checked, base.Checked]:
        """Run the real check over SSH, through agents and as a tenant."""
        with futures.ThreadPoolExecutor() as pool:
            by_ssh = pool.submit(self.by_ssh, *arguments, capture=capture)
            by_agent = pool.submit(self.by_agent, *arguments)
            as_tenant = pool.submit(self.as_tenant, *arguments)
        return by_ssh.result(), by_agent.result(), as_tenant.result()

    def _cloud(self) -> tuple[Any, ...]:
        """Return what may change by itself while they look.

        An agent that is kept from answering counts as dead after a while, and
        claims and bindings follow.
        """
        return (
            {
                (agent['host'], agent['binary']): agent['alive']
                for agent in self.lab.admin.agents()
            },
            self.lab.claims(self.router),
            mending.bound(self.lab, self.router),
            self.lab.active_nodes(self.router),
            self.lab.vip_nodes(self.router),
        )

    def assert_mended(self) -> None:
        """Mend r1, and see that a check over SSH says so.

        What all three say of a router that is well, a test of its own sees.
        """
        active = self.lab.mend()
        self.assert_well(self.by_ssh(), active)
        self.mended = True

    def by_ssh(self, *arguments: str, **options: Any) -> base.Checked:
        """Run the real check over SSH alone."""
        return super().check('--backend', 'ssh', *arguments, **options)

    def by_agent(self, *arguments: str, **options: Any) -> base.Checked:
        """Run the real check through the node agents alone."""
        return super().check('--backend', 'agent', *arguments, **options)

    def as_tenant(self, *arguments: str) -> base.Checked:
        """Run the real check with a tenant's credentials, as it is."""
        return super().check(*arguments, cloud='lab-demo-reader')

    def assert_told(self, found: base.Checked, told: base.Checked) -> None:
        """See that a tenant is told the same, and no name of a node."""
        said = told.stdout + told.stderr
        replicas = found.row['Replicas']
        for replica in replicas:
            self.assertNotIn(replica['host'], said)
            if replica['agent_id'] is not None:
                self.assertNotIn(replica['agent_id'], said)
        self.assertNotIn(self.lab.nodes['net1'].address[:-1], said)
        names = {None: None}
        for word, hosting in (('replica', True), ('other', False)):
            hosts = sorted(
                replica['host']
                for replica in replicas
                if (replica['agent_id'] is not None) is hosting
            )
            for number, host in enumerate(hosts, 1):
                names[host] = f'{word}-{number}'
        self._assert_same(
            _outline(found, names),
            _outline(told, {name: name for name in names.values()}),
        )

    def _assert_same(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        """See that two reports say the same, and name what they do not."""
        self.assertEqual(one.keys(), other.keys())
        for key, value in one.items():
            if isinstance(value, list) and len(value) == len(other[key]):
                for left, right in zip(value, other[key], strict=True):
                    self.assertEqual(*_apart(left, right), key)
            else:
                self.assertEqual(value, other[key], key)


def _plain(checked: base.Checked) -> dict[str, Any]:
    """Return a report without what is different each time it is made."""
    return {'exit code': checked.exit_code, **checked.row}


def _apart(one: Any, other: Any) -> tuple[Any, Any]:
    """Return what one has and the other has not, and the reverse."""
    if not isinstance(one, dict):
        return one, other
    return (
        {k: v for k, v in one.items() if k not in other or other[k] != v},
        {k: v for k, v in other.items() if k not in one or one[k] != v},
    )


def _outline(
    checked: base.Checked, names: dict[str | None, str | None]
) -> dict[str, Any]:
    """Return a report without the words, and with these names of hosts."""
    row = checked.row
    return {
        'exit code': checked.exit_code,
        'Router': row['Router'],
        'Health': row['Health'],
        'Active Hosts': [names[host] for host in row['Active Hosts']],
        'Reported Active': [names[host] for host in row['Reported Active']],
        'Replicas': sorted(
            [
                names[replica['host']],
                *(
                    str(value)
                    for key, value in replica.items()
                    if key not in ('host', 'agent_id', 'failure')
                ),
            ]
            for replica in row['Replicas']
        ),
        'Findings': sorted(
            (finding['code'], str(names[finding['host']]))
            for finding in row['Findings']
        ),
    }
