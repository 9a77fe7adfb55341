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


"""A client and a server with a router between them that can be moved.

Two bridges in a namespace of their own stand for the networks; the same
router is plugged into them twice, as on two nodes, with the same MACs.
"""

import contextlib
import socket
import subprocess
import sys
import time

import fixtures

from osc_ha_router.node import namespaces
from tests.functional.node import spaces

INSIDE, OUTSIDE = '10.1.1.1', '203.0.113.201'
CLIENT, SERVER = '10.1.1.15', '203.0.113.1'
PORT = 7777
MACS = {spaces.QR: 'fa:16:3e:00:00:01', spaces.QG: 'fa:16:3e:00:00:02'}
#: sends back what it gets
ECHO = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print('ready', flush=True)
while True:
    peer, _ = listener.accept()
    try:
        while data := peer.recv(1 << 16):
            peer.sendall(data)
    except OSError:
        pass
"""


@contextlib.contextmanager
def inside(name):
    """Run the body in a namespace of this machine."""
    path = f'/run/netns/{name}'
    with namespaces.Traveller() as traveller:
        space = namespaces.Namespace(name, '', path, None)
        with traveller.inside(space):
            yield


class Wires(fixtures.Fixture):
    """The networks, the client and the server."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def _setUp(self) -> None:
        self.hub = self.useFixture(spaces.Space(f'{self._name}-hub'))
        for bridge in ('inside', 'outside', 'ha'):
            self.hub.ip('link', 'add', bridge, 'type', 'bridge')
            self.hub.ip('link', 'set', bridge, 'up')
        self.client = self.useFixture(spaces.Space(f'{self._name}-client'))
        self.server = self.useFixture(spaces.Space(f'{self._name}-server'))
        self.plug(self.client, 'eth0', 'inside')
        self.plug(self.server, 'eth0', 'outside')
        for space, address in (
            (self.client, CLIENT),
            (self.server, SERVER),
        ):
            space.ip('addr', 'add', f'{address}/24', 'dev', 'eth0')
            space.ip('link', 'set', 'eth0', 'up')
        self.client.ip('route', 'add', 'default', 'via', INSIDE)

    def plug(self, space, device, bridge) -> None:
        """Give a namespace a device that ends in a bridge."""
        peer = f'v{time.monotonic_ns() % 10**9}'
        self.hub.ip(
            *('link', 'add', peer, 'type', 'veth', 'peer', 'name', device),
            *('netns', space.name),
        )
        self.hub.ip('link', 'set', peer, 'master', bridge, 'up')

    def router(self) -> spaces.Router:
        """Another place for the router, not active."""
        router = self.useFixture(spaces.Router())
        for device, bridge in ((spaces.QR, 'inside'), (spaces.QG, 'outside')):
            self.plug(router, device, bridge)
            router.ip('link', 'set', device, 'address', MACS[device])
            # the addresses of the link itself would be twice on it
            path = f'net.ipv6.conf.{device}.addr_gen_mode'
            router.execute('sysctl', '-qw', f'{path}=1')
        router.execute('sysctl', '-qw', 'net.ipv4.ip_forward=1')
        router.execute(
            *('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', spaces.QG),
            *('-j', 'SNAT', '--to-source', OUTSIDE, '--random-fully'),
        )
        return router

    def keepalived(self, router, address: str) -> None:
        """Let keepalived decide who is active, as Neutron sets it up."""
        self.plug(router, spaces.HA, 'ha')
        router.ip('link', 'set', spaces.HA, 'up')
        router.ip('addr', 'add', address, 'dev', spaces.HA)
        for device in MACS:
            router.ip('link', 'set', device, 'up')
        router.write()
        text = router.conf.read_text()
        for before, after in (
            ('10.0.0.1/24', f'{INSIDE}/24'),
            ('203.0.113.10/24', f'{OUTSIDE}/24'),
            ('10.20.0.0/16 via 10.0.0.254', '10.20.0.0/16 via 10.1.1.254'),
        ):
            text = text.replace(before, after)
        router.conf.write_text(text)
        router.keepalived()

    def activate(self, router) -> None:
        """Make a router the active one."""
        for device, address in ((spaces.QR, INSIDE), (spaces.QG, OUTSIDE)):
            router.ip('link', 'set', device, 'up')
            router.ip('addr', 'add', f'{address}/24', 'dev', device)

    def passivate(self, router) -> None:
        """Take the active role from a router."""
        for device in MACS:
            router.ip('addr', 'flush', 'dev', device)
            router.ip('link', 'set', device, 'down')

    def serve(self) -> None:
        """Start the server."""
        child = subprocess.Popen(
            [
                *('ip', 'netns', 'exec', self.server.name),
                *(sys.executable, '-c', ECHO, SERVER, str(PORT)),
            ],
            stdout=subprocess.PIPE,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.addCleanup(child.stdout.close)
        child.stdout.readline()

    def connect(self) -> socket.socket:
        """Open a connection from the client to the server."""
        with inside(self.client.name):
            opened = socket.socket()
        self.addCleanup(opened.close)
        opened.settimeout(5)
        opened.connect((SERVER, PORT))
        return opened


def echoes(connection, size: int = 2000000) -> bool:
    """Whether data goes to the server and comes back whole."""
    data = bytes(range(256)) * (size // 256)
    found = bytearray()
    connection.setblocking(False)
    sent, deadline = 0, time.monotonic() + 8
    try:
        while len(found) < len(data):
            if time.monotonic() > deadline:
                return False
            with contextlib.suppress(BlockingIOError):
                sent += connection.send(data[sent : sent + (1 << 18)])
            with contextlib.suppress(BlockingIOError):
                part = connection.recv(1 << 18)
                if not part:
                    return False
                found += part
            time.sleep(0.0005)
    except OSError:
        return False
    return bytes(found) == data
