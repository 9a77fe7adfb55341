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

"""The real ``openstack`` command, run in this process."""

import contextlib
import dataclasses
import io
import json
import logging
import os
import pathlib
import threading
import time
from typing import Any
import warnings

import fixtures
from openstackclient import shell
from osc_lib import clientmanager
import yaml

from osc_ha_router import capture
from osc_ha_router.backends import registry
from osc_ha_router.model import claim
from tests.unit import fakes
from tests.unit import neutron
from tests.unit import quiet
from tests.unit.scene import Scene


@dataclasses.dataclass(frozen=True)
class Result:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What ``-f json`` printed."""
        found: list[dict[str, Any]] = json.loads(self.stdout)
        return found


def openstack(*arguments: str) -> Result:
    """Run ``openstack`` as from a shell."""
    stdout, stderr = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with (
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            warnings.catch_warnings(),
        ):
            try:
                code = shell.main(list(arguments))
            except SystemExit as exc:
                # argparse ends like this on a usage error
                assert isinstance(exc.code, int)
                code = exc.code
    finally:
        # each run adds handlers of its own
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
    return Result(code, stdout.getvalue(), stderr.getvalue())


def save(path: str, *scenes: Scene) -> str:
    """Write scenes of different routers as one capture."""
    looked = {shown.host: shown for scene in scenes for shown in scene.hosts}
    hosts = tuple(
        dataclasses.replace(
            shown,
            views=tuple(
                view
                for scene in scenes
                for other in scene.hosts
                if other.host == name
                for view in other.views
            ),
        )
        for name, shown in looked.items()
    )
    routers = tuple(scene.router for scene in scenes)
    claims = claim.Claims(routers, tuple(sorted(looked)))
    capture.save(capture.Capture(claims, hosts, capture.now()), path)
    return path


class CommandTest(quiet.TestCase):
    """Commands without a cloud, and without anything of the caller's."""

    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path
        for name in list(os.environ):
            if name.startswith('OS_'):
                self.useFixture(fixtures.EnvironmentVariable(name))
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.folder))
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS', '80'))
        self.clouds({})

    def clouds(self, clouds: dict[str, Any]) -> None:
        """Write clouds.yaml."""
        path = pathlib.Path(self.folder, 'clouds.yaml')
        path.write_text(yaml.safe_dump({'clouds': clouds}))
        self.useFixture(
            fixtures.EnvironmentVariable('OS_CLIENT_CONFIG_FILE', str(path))
        )

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def check(self, *scenes: Scene, options: tuple[str, ...] = ()) -> Result:
        """Run the check on a capture of these."""
        path = save(self.path('scenes.json'), *scenes)
        return self.ran('check', '--capture', path, *options)

    def ran(self, *arguments: str) -> Result:
        """Run ``openstack router ha ...``, which must not break."""
        result = openstack('router', 'ha', *arguments)
        self.assertNotIn('Traceback', result.stderr)
        return result

    def assert_refused(self, result: Result, code: int, *words: str) -> None:
        """The command ended with one line that has these words."""
        self.assertEqual(code, result.exit_code, result)
        self.assertEqual('', result.stdout)
        lines = result.stderr.splitlines()
        # a usage error has the usage before it
        line = lines[-1] if code == 2 and len(lines) > 1 else '\n'.join(lines)
        self.assertTrue(line.isprintable(), result.stderr)
        for word in words:
            self.assertIn(word, line)

    def assert_narrow(self, text: str, columns: int = 80) -> None:
        for line in text.splitlines():
            self.assertLessEqual(len(line), columns, text)


class CloudTest(CommandTest):
    """Commands against an API over HTTP, and nodes played back."""

    #: of the cloud's entry in clouds.yaml
    entry: dict[str, Any] = {}

    def setUp(self):
        super().setUp()
        self.neutron = self.useFixture(neutron.Neutron())
        self.cloud_entry: dict[str, Any] = {
            'auth': {
                'auth_url': neutron.KEYSTONE,
                'username': 'somebody',
                'password': 'secret-password',
                'project_id': neutron.PROJECT,
                'user_domain_id': 'default',
            },
            'region_name': 'RegionOne',
            'router_ha': self.entry,
        }
        self.clouds({'test': self.cloud_entry})
        self.useFixture(fixtures.EnvironmentVariable('OS_CLOUD', 'test'))
        self._nobody_signed_on()
        self.addCleanup(self._left_behind, threading.enumerate())

    def _nobody_signed_on(self) -> None:
        """Forget the client of the test before, and who it was.

        The openstack command keeps it for as long as the process lives.
        """
        kept = vars(clientmanager.ClientManager).get('router_ha')
        if kept is not None:
            kept._handle = None

    def _left_behind(self, before: list[threading.Thread]) -> None:
        """Let what an interrupted command has begun ask all that it asks.

        Otherwise it would do so during the next test, which has another
        Neutron.
        """
        asked = -1
        while asked < len(self.neutron.calls):
            asked = len(self.neutron.calls)
            end = time.monotonic() + 0.5
            for thread in threading.enumerate():
                if thread not in before:
                    thread.join(max(0.0, end - time.monotonic()))

    def add(self, scene: Scene) -> None:
        """Let Neutron say what a scene has of its router."""
        router = scene.router
        self.neutron.add_router(
            router.name,
            id=router.id,
            external_gateway_info={'network_id': neutron.new_id(1)},
        )
        ids = {
            agent.host: self.neutron.add_agent(agent.host, alive=agent.alive)
            for agent in router.agents or ()
        }
        self.neutron.host(
            router.id,
            {ids[a.host]: a.ha_state for a in router.agents or ()},
        )
        for port in router.ports or ():
            self.neutron.add_port(
                router.id,
                port.owner,
                port.host or '',
                id=port.id,
                network_id=port.network_id,
                status=port.status,
                fixed_ips=[
                    {'subnet_id': neutron.new_id(2), 'ip_address': address}
                    for address in port.addresses
                ],
            )
        for ip in router.floating_ips or ():
            self.neutron.add_floating_ip(router.id, ip.address)

    def nodes(self, *looks: Scene) -> fakes.Backend:
        """Let the nodes show these, one look after the other."""
        backend = fakes.Backend(*([look] for look in looks))
        self.settings: list[Any] = []

        def load(settings: Any, connect: Any) -> fakes.Backend:
            self.settings.append(settings)
            return backend

        self.useFixture(fixtures.MockPatchObject(registry, 'load', load))
        return backend
