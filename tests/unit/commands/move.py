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

"""What the tests of the failover command share."""

import io
import time

import fixtures

from osc_ha_router.backends import registry
from osc_ha_router.failover import verify
from osc_ha_router.fleet import run
from tests.unit import moving
from tests.unit import published
from tests.unit.commands import base
from tests.unit.failover import base as plans
from tests.unit.failover import move as quickly
from tests.unit.scene import Scene

#: fixed by the design, never to be renamed
KEYS = [
    'Router',
    'From',
    'To',
    'Method',
    'Result',
    'Takeover Seconds',
    'Outage',
    'Health',
    'Findings',
    'Connections',
    'Notes',
]
PHASES = [
    'plan',
    'preflight',
    'confirm',
    'act',
    'wait',
    'restore',
    'verify',
]
ESCAPES = '\x1b]0;x\x07\x1b[2J\u202e\u2028'


class Terminal(io.StringIO):
    """Where somebody types."""

    def __init__(self, typed: str, seconds: float = 0.0) -> None:
        super().__init__(typed)
        self._seconds = seconds

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1) -> str:
        time.sleep(self._seconds)
        return super().readline(size)


class Pressed(Terminal):
    """Where somebody presses Ctrl-C."""

    def readline(self, size: int = -1) -> str:
        raise KeyboardInterrupt


class FailoverTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        scene = Scene.of('healthy')
        for host in scene.names:
            scene = scene.with_conf(host, advert_int=quickly.ADVERT)
        self.active = scene.reported
        self.target, self.other = scene.standbys
        self.well = plans.listened(scene, self.active)
        self.add(self.well)
        self.renew()
        quickly.quick(self)
        self.stdin(io.StringIO())
        self.useFixture(
            fixtures.MockPatchObject(
                registry, 'load', lambda settings, connect: self.moving
            )
        )

    def renew(self) -> None:
        """Have everything as it was at first."""
        self.moving = moving.Nodes(self.well)
        self.moving.moved = self.learn
        self.learn(self.active)

    def learn(self, active: str) -> None:
        """Let Neutron say what it has been told."""
        if not self.moving.learns:
            return
        router = self.well.router
        self.neutron.host(
            router.id,
            {
                agent['id']: 'active' if agent['host'] == active else 'standby'
                for agent in self.neutron.agents
            },
        )
        for port in self.neutron.ports:
            if port['device_owner'] in verify.FOLLOWING:
                port['binding:host_id'] = active

    def stdin(self, stream: io.StringIO) -> None:
        self.useFixture(fixtures.MonkeyPatch('sys.stdin', stream))

    def failover(self, *options: str, approve: bool = True) -> base.Result:
        if approve:
            options = (*options, '--auto-approve')
        return self.ran('failover', 'r1', '--to', self.target, *options)

    def row(self, *options: str, approve: bool = True, code: int = 0):
        result = self.failover('-f', 'json', *options, approve=approve)
        self.assertEqual(code, result.exit_code, result)
        published.match('failover', result.rows)
        (row,) = result.rows
        self.assertEqual(KEYS, list(row))
        return row

    def assert_untouched(self) -> None:
        self.assertEqual([], self.moving.ops())
        self.assertEqual(self.well, self.moving.scene)

    def assert_safe(self, result: base.Result) -> None:
        for text in (result.stdout, result.stderr):
            for line in text.split('\n'):
                self.assertTrue(line.isprintable(), line)


class FleetTest(FailoverTest):
    """The same for commands that move many."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.fleet.run._LISTEN', 0.1)
        )

    def last_look(self, trouble: BaseException) -> None:
        """Have the look at all routers that follows the moves fail."""
        looks = []
        look = run.Fleet.look

        def second(fleet, *arguments):
            looks.append(arguments)
            if len(looks) == 2:
                raise trouble
            return look(fleet, *arguments)

        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.fleet.run.Fleet.look', second)
        )
