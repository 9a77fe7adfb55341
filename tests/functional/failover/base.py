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


import dataclasses
import json
import os
import pty
import subprocess
from typing import Any

from tests.functional import base


@dataclasses.dataclass(frozen=True)
class Traces:
    """What a failover could leave on one node."""

    configuration: str
    keepalived: tuple[int, ...]
    addresses: frozenset[tuple[str, str]]
    #: names of files in the router's folder, the hidden ones
    hidden: tuple[str, ...]
    #: rules of ours in the namespace
    rules: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Moved:
    """What one ``openstack router ha failover -f json`` came to."""

    exit_code: int
    stderr: str
    row: dict[str, Any] | None


class FailoverTest(base.LabTest):
    """A test that moves router r1, or is refused to."""

    def failover(
        self,
        *arguments: str,
        router: str = 'r1',
        approve: bool = True,
        cloud: str = 'lab',
        env: dict[str, str] | None = None,
    ) -> Moved:
        """Run the real command to its end."""
        if approve:
            arguments += ('--auto-approve',)
        done = self.lab.openstack(
            'router',
            'ha',
            'failover',
            router,
            '-f',
            'json',
            *arguments,
            cloud=cloud,
            env=env,
        )
        self.assertNotIn('Traceback', done.stderr)
        rows = json.loads(done.stdout or '[]')
        return Moved(done.returncode, done.stderr, rows[0] if rows else None)

    def answer(self, words: str, *arguments: str) -> Moved:
        """Run the command on a terminal, and answer its question."""
        ours, theirs = pty.openpty()
        try:
            command = [self.openstack, 'router', 'ha', 'failover', *arguments]
            with subprocess.Popen(
                self.lab.enter(command),
                env=self.lab.environment(),
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                os.write(ours, words.encode())
                _, stderr = process.communicate(timeout=120)
            return Moved(process.returncode, stderr, None)
        finally:
            os.close(ours)
            os.close(theirs)

    def traces(self) -> dict[str, Traces]:
        """Return what is on every node now."""
        return {name: self._traces(name) for name in self.lab.nodes}

    def _traces(self, name: str) -> Traces:
        replica = self.lab.nodes[name].router(self.router)
        listing = replica.node.run(['ls', '-A', replica.folder], check=False)
        rules = replica.run(['ip6tables', '-S', 'OUTPUT'], check=False)
        return Traces(
            replica.configuration(),
            tuple(replica.keepalived_pids()),
            frozenset(
                (device, address)
                for device, address in replica.addresses()
                # what the kernel makes itself comes and goes
                if (device, address) in replica.expected()
            ),
            tuple(
                found
                for found in listing.stdout.split()
                if found.startswith('.')
            ),
            tuple(
                line
                for line in rules.stdout.splitlines()
                if 'osc-ha-router' in line
            ),
        )

    def assert_refused(
        self, moved: Moved, before: dict[str, Traces], *words: str
    ) -> None:
        """See that nothing was done, and that it was said why."""
        self.assertEqual(1, moved.exit_code, moved.stderr)
        for word in words:
            self.assertIn(word, moved.stderr)
        self.assertEqual(before, self.traces())

    def assert_clean(self) -> None:
        """See that no node has anything left of a move."""
        for name, found in self.traces().items():
            self.assertEqual((), found.hidden, name)
            self.assertEqual((), found.rules, name)
            self.assertIn('priority 50', found.configuration, name)
            self.assertIn('nopreempt', found.configuration, name)
