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

"""Routers in namespaces of this machine: real devices, real keepalived.

The namespaces are named like Neutron's, after a UUID that nobody else has,
and are removed together with whatever still runs in them.
"""

from collections.abc import Callable
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
from typing import Any
import uuid

import fixtures
import testtools

from osc_ha_router import codec
from osc_ha_router.model import view
from osc_ha_router.node import serve

CONF = """\
global_defs {{
    notification_email_from neutron@openstack.local
    router_id neutron
{extra_globals}
}}
vrrp_instance VR_{vrid} {{
    state BACKUP
    interface {ha}
    virtual_router_id {vrid}
    priority 50
    garp_master_delay 60
    nopreempt
    advert_int 1
{extra}
    track_interface {{
        {ha}
    }}
    virtual_ipaddress {{
        {vip} dev {ha}
    }}
    virtual_ipaddress_excluded {{
        10.0.0.1/24 dev {qr} no_track
        203.0.113.10/24 dev {qg} no_track
        203.0.113.20/32 dev {qg} no_track
        2001:db8:5::1/64 dev {qr} no_track
        fe80::f816:3eff:fe12:3456/64 dev {qg} scope link no_track
    }}
    virtual_routes {{
        0.0.0.0/0 via 203.0.113.1 dev {qg} no_track protocol static
        10.20.0.0/16 via 10.0.0.254 no_track protocol static
    }}
}}
"""
HA, QG, QR = 'ha-0a1b2c3d-4e', 'qg-aabbccdd-ee', 'qr-11223344-55'
VRID = 14


def run(*words: str) -> str:
    """Run a command that must succeed, and return its output."""
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f'{" ".join(words)}: {result.stderr}')
    return result.stdout


def eventually(question: Callable[[], Any], seconds: float = 20) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


class Space(fixtures.Fixture):
    """A network namespace with a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def _setUp(self) -> None:
        run('ip', 'netns', 'add', self.name)
        self.addCleanup(self.remove)
        self.ip('link', 'set', 'lo', 'up')

    def ip(self, *words: str) -> str:
        return run('ip', '-n', self.name, *words)

    def execute(self, *words: str) -> str:
        return run('ip', 'netns', 'exec', self.name, *words)

    def pids(self) -> list[int]:
        return [int(x) for x in run('ip', 'netns', 'pids', self.name).split()]

    def remove(self) -> None:
        """Remove it, unless a test did."""
        if os.path.exists(f'/run/netns/{self.name}'):
            self.empty()
            run('ip', 'netns', 'del', self.name)

    def empty(self) -> None:
        """End whatever runs in it; all of that was started here."""

        def gone() -> bool:
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not self.pids()

        eventually(gone)

    def tap(self, name: str) -> None:
        """Add a device the way Open vSwitch's internal ports look."""
        self.ip('tuntap', 'add', 'dev', name, 'mode', 'tap')
        self.ip('link', 'set', name, 'up')


class Router(Space):
    """A router's namespace with its devices and its folder."""

    def __init__(self, kind: str = 'qrouter', router_id: str = '') -> None:
        self.router_id = router_id or str(uuid.uuid4())
        super().__init__(f'{kind}-{self.router_id}')

    def _setUp(self) -> None:
        super()._setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.folder = root / 'ha_confs' / self.router_id
        self.folder.mkdir(parents=True)
        self.conf = self.folder / 'keepalived.conf'
        self.pid_file = f'{self.folder}.pid.keepalived'

    def plug(self, address: str) -> None:
        """Add the three devices; the ha- device ends nowhere."""
        self.ip('link', 'add', HA, 'type', 'veth', 'peer', 'name', 'far')
        self.ip('link', 'set', 'far', 'up')
        self.ready(address)

    def ready(self, address: str) -> None:
        self.ip('link', 'set', HA, 'up')
        self.ip('addr', 'add', address, 'dev', HA)
        self.tap(QG)
        self.tap(QR)

    def write(self, extra: str = '', extra_globals: str = '') -> None:
        self.conf.write_text(
            CONF.format(
                vrid=VRID,
                ha=HA,
                qg=QG,
                qr=QR,
                vip=f'169.254.0.{VRID}/24',
                extra=extra,
                extra_globals=extra_globals,
            )
        )

    def keepalived(self, *before: str, conf: str | None = None) -> None:
        """Start it with Neutron's command line."""
        self.execute(
            *before,
            *('keepalived', '-P', '-f', conf or str(self.conf)),
            *('-p', self.pid_file, '-r', f'{self.pid_file}-vrrp'),
        )

    def hold(self) -> None:
        """Set by hand what keepalived would: it takes four seconds."""
        for address, device, *options in (
            (f'169.254.0.{VRID}/24', HA),
            ('10.0.0.1/24', QR),
            ('203.0.113.10/24', QG),
            ('203.0.113.20/32', QG),
            ('2001:db8:5::1/64', QR, 'nodad'),
            ('fe80::f816:3eff:fe12:3456/64', QG, 'scope', 'link', 'nodad'),
        ):
            self.ip('addr', 'add', address, 'dev', device, *options)
        for destination, gateway in (
            ('default', '203.0.113.1'),
            ('10.20.0.0/16', '10.0.0.254'),
        ):
            self.ip(
                *('route', 'add', destination, 'via', gateway),
                *('proto', 'static'),
            )

    def active(self) -> bool:
        """Whether keepalived has set its last address and route."""
        return 'fe80::f816:3eff:fe12:3456' in self.ip(
            'addr'
        ) and '10.20.0.0/16' in self.ip('route')


class Pair(fixtures.Fixture):
    """Two routers' namespaces whose ha- devices are joined by a cable.

    They stand for the same router on two nodes.
    """

    def _setUp(self) -> None:
        self.left = self.useFixture(Router())
        self.right = self.useFixture(Router())
        self.left.ip(
            *('link', 'add', HA, 'type', 'veth', 'peer', 'name', HA),
            *('netns', self.right.name),
        )
        self.left.ready('169.254.192.5/18')
        self.right.ready('169.254.192.6/18')


class SpaceTest(testtools.TestCase):
    """Base of the tests that make namespaces."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            self.fail('making network namespaces needs root')
        for program in ('ip', 'keepalived', 'unshare'):
            if shutil.which(program) is None:
                self.fail(f'{program} is not installed')

    def probe(
        self, *routers: str, listen: float = 0, residents: bool = False
    ) -> tuple[list[view.NodeView], tuple[view.Resident, ...] | None]:
        """Ask the program in this process; the answer must fit the model."""
        request = {
            'id': 1,
            'op': 'probe',
            'routers': list(routers),
            'listen': listen,
            'residents': residents,
        }
        output = io.BytesIO()
        serve.serve(io.BytesIO(json.dumps(request).encode()), output)
        return self.understand(output.getvalue())

    def understand(
        self, output: bytes
    ) -> tuple[list[view.NodeView], tuple[view.Resident, ...] | None]:
        _, *replies, last = map(json.loads, output.splitlines())
        self.assertIn('end', last)
        found = []
        for reply in replies:
            decoded = codec.decode(view.NodeView, reply['view'])
            # nothing missing, nothing more than the model knows
            self.assertEqual(reply['view'], codec.encode(decoded))
            found.append(decoded)
        listed = last['end']['residents']
        if listed is None:
            return found, None
        return found, tuple(codec.decode(view.Resident, x) for x in listed)

    def look(self, router: Router, **more: Any) -> view.NodeView:
        """Probe one router, of which nothing may be unreadable."""
        (found,), _ = self.probe(router.router_id, **more)
        self.assertEqual((), found.problems)
        return found

    def roles(self, router: Router) -> list[tuple[int, str, str]]:
        """Pid, role and state of the router's processes."""
        processes = self.look(router).processes or ()
        return [(each.pid, each.role, each.state) for each in processes]
