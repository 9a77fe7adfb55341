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

"""What the tests of repairs on a node share."""

import os
import signal
import socket
import subprocess
import threading
from typing import Any

import fixtures

from tests.functional.node import errands
from tests.functional.node import spaces

VIP = f'169.254.0.{spaces.VRID}/24'
FLOATING_IP = '203.0.113.20/32'
INTERNAL6 = '2001:db8:5::1/64'
PLACES = [
    {'device': spaces.HA, 'address': VIP},
    {'device': spaces.QR, 'address': '10.0.0.1/24'},
    {'device': spaces.QG, 'address': '203.0.113.10/24'},
    {'device': spaces.QG, 'address': FLOATING_IP},
    {'device': spaces.QR, 'address': INTERNAL6},
    {'device': spaces.QG, 'address': 'fe80::f816:3eff:fe12:3456/64'},
]
ROUTES = [
    {
        'destination': '0.0.0.0/0',
        'gateway': '203.0.113.1',
        'device': spaces.QG,
    },
    {
        'destination': '10.20.0.0/16',
        'gateway': '10.0.0.254',
        'device': None,
    },
]


def addresses(router: spaces.Router) -> dict[tuple[str, str], str]:
    """Device and address -> everything else that ``ip`` says of it.

    Except that the kernel is still looking for the same address elsewhere,
    which is over in a moment.
    """
    found = {}
    for line in router.ip('-o', 'address').splitlines():
        words = [word for word in line.split() if word != 'tentative']
        found[words[1], words[3]] = ' '.join(words[4:])
    return found


class MendTest(errands.ErrandTest):
    """A router with a monitor, which tells where its files are."""

    def setUp(self) -> None:
        super().setUp()
        self.watched(self.router)

    def watched(self, router: spaces.Router) -> None:
        """Start a state-change monitor that does nothing."""
        root = router.folder.parents[1]
        script = root / 'neutron-keepalived-state-change'
        script.write_text('#!/bin/sh\nread x\n')
        script.chmod(0o755)
        process = subprocess.Popen(
            [
                *(str(script), '--router_id', router.router_id),
                *('--conf_dir', str(router.folder)),
                *('--state_path', str(root)),
            ],
            stdin=subprocess.PIPE,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)

    def pids(self) -> list[int]:
        return [
            pid
            for pid, role, _ in self.roles(self.router)
            if role.startswith('keepalived')
        ]

    def active(self) -> None:
        """Wait until the router is active."""
        self.assertTrue(spaces.eventually(self.router.active))
        # the last address is set before the first advertisement is sent
        self.assertTrue(
            spaces.eventually(
                lambda: self.look(self.router, listen=1.2).listening.adverts
            )
        )

    def started_on(self, router: spaces.Router) -> Any:
        """Return a conversation that has begun with a router."""
        one = self.talk()
        begun = one.ask(
            'begin', router=router.router_id, by='me', seconds=60, bare=True
        )
        self.assertIn('undone', begun)
        return one

    def ask(self, op: str, **fields: Any) -> Any:
        """Begin, ask for one thing, finish; return what came of it."""
        one = self.started_on(self.router)
        try:
            return one.ask(op, router=self.uuid, **fields)
        finally:
            self.assertEqual(
                {'undone': []}, one.ask('finish', router=self.uuid)
            )

    def assert_refused(self, kind: str, words: str, found: Any) -> None:
        self.assertEqual(kind, found.get('kind'), found)
        self.assertIn(words, found['message'])

    def kill(self, *pids: int) -> None:
        # stopped first: the child would hear of its parent's end, and leave
        # in order
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, number)
        for pid in pids:
            self.assertTrue(
                spaces.eventually(
                    lambda pid=pid: not os.path.exists(f'/proc/{pid}')
                )
            )


class Agent(fixtures.Fixture):
    """Stands for the L3 agent's end of its socket.

    The real one is in the tests on the lab.

    :param knows: whether it has the router
    """

    def __init__(self, router: spaces.Router, knows: bool = True) -> None:
        super().__init__()
        self.folder = router.folder
        self.knows = knows
        #: what it was told
        self.told: list[bytes] = []

    def _setUp(self) -> None:
        path = self.folder.parent.parent / 'keepalived-state-change'
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        thread = threading.Thread(target=self._serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self._socket.shutdown, socket.SHUT_RDWR)

    def _serve(self) -> None:
        with self._socket:
            while True:
                try:
                    channel, _ = self._socket.accept()
                except OSError:
                    return
                with channel:
                    said = channel.recv(4096)
                    self.told.append(said)
                    channel.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
                word = said.split(b'X-Neutron-State: ')[1].split()[0]
                if self.knows:
                    (self.folder / 'state').write_bytes(word)
