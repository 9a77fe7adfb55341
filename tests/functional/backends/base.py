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

"""What the tests of a backend on a real connection have in common."""

from collections.abc import Iterator
import os
import pathlib
import shutil
import time
from typing import Any

import testtools

from osc_ha_router import config
from osc_ha_router.backends import base
from osc_ha_router.backends import ssh
from osc_ha_router.model import view
from tests.functional.backends import site
from tests.functional.backends import space

#: one that no lab has
ROUTER = 'aaaaaaaa-0000-4000-8000-000000000001'


class TestCase(testtools.TestCase):
    """Has a node at every address of 127.0.0.0/8, and looks at it."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0 or not shutil.which('sshd', path='/usr/sbin'):
            self.fail('needs root and openssh-server')
        before = children()
        self.addCleanup(
            lambda: self.assertEqual(set(), children() - before, 'left over')
        )
        self.useFixture(space.Space())
        self.site = self.useFixture(site.Site())

    def settings(self, **changes: Any) -> config.Settings:
        values: dict[str, Any] = {
            'ssh_config': self.site.ssh_config,
            'ssh_user': 'stack',
            'probe_timeout': 10.0,
            **changes,
        }
        return config.Settings(**values)

    def probe(
        self, *hosts: str, seconds: float = 30, **changes: Any
    ) -> Iterator[view.HostView]:
        """Look at these hosts; keyword arguments are settings."""
        return ssh.SshBackend(self.settings(**changes)).probe(
            [base.Request(host, (ROUTER,)) for host in hosts],
            base.Deadline.after(seconds),
        )

    def look(self, **changes: Any) -> view.HostView:
        """Look at one host; it has to be reached."""
        (seen,) = self.probe('net1', **changes)
        self.assertIsNone(seen.failure)
        return seen

    def fail_to_look(self, kind: str, **changes: Any) -> view.Failure:
        """Look at one host; it has to fail in this way."""
        began = time.monotonic()
        (self.seen,) = self.probe('net1', **changes)
        failure = self.seen.failure
        assert failure is not None
        self.assertEqual(kind, failure.kind, str(failure))
        self.assertLess(time.monotonic() - began, 20)
        return failure

    def force(self, kind: str, script: str, **changes: Any) -> view.Failure:
        """Look at a node that does this; it has to fail in this way."""
        self.site.force(script)
        return self.fail_to_look(kind, ssh_user='forced', **changes)


def children() -> set[str]:
    """Return the processes of which this one is an ancestor, zombies too."""
    parents = {}
    for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            pid, rest = path.read_text().split(' ', 1)
        except OSError:
            continue
        name, _, fields = rest.rpartition(')')
        parents[pid] = (fields.split()[1], f'{pid} {name})')
    found: set[str] = set()
    todo = [str(os.getpid())]
    while todo:
        parent = todo.pop()
        for pid, (ppid, label) in parents.items():
            if ppid == parent:
                found.add(label)
                todo.append(pid)
    return found
