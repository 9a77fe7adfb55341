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

"""Telling the L3 agent what this node really is."""

import contextlib
import os
import pathlib
import socket
import threading

import fixtures
import testtools

from osc_ha_router.node import active
from osc_ha_router.node import errors
from osc_ha_router.node import folder
from osc_ha_router.node import muster
from osc_ha_router.node import tell
from osc_ha_router.node import vip

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'


class Agent:
    """An L3 agent's socket; it writes the state file as the agent does.

    :param knows: whether it has the router
    """

    def __init__(self, path, state, knows=True, answer=b'HTTP/1.1 200 OK'):
        self.state, self.knows, self.answer = state, knows, answer
        self.request = b''
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            channel, _ = self.listening.accept()
        except OSError:
            # closed before anybody asked
            return
        with channel:
            self.request = channel.recv(1024)
            if self.knows:
                word = self.request.split(b'State: ')[1].split()[0]
                made = self.state.with_name('new')
                made.write_bytes(word)
                made.replace(self.state)
            channel.sendall(self.answer)


class TellTest(testtools.TestCase):
    router_id = UUID
    traveller = None

    def setUp(self):
        super().setUp()
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.place = self.home / 'ha_confs' / UUID
        self.place.mkdir(parents=True)
        self.mark = self.place / 'state'
        self.conf_path = str(self.place / 'keepalived.conf')
        self.folder = folder.Folder(str(self.place))
        self.addCleanup(self.folder.close)
        self.now, self.holds = active.ACTIVE, True
        address = contextlib.ExitStack()
        address.held = lambda: self.holds
        for owner, name, stand_in in (
            (active, 'state', lambda begun: self.now),
            (muster, 'members_of', lambda *_: []),
            (vip, 'Vip', lambda begun: address),
            (tell, '_MARGIN', 0.3),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    # the errand
    def of(self, router_id):
        return self

    def conf(self):
        return {'advert_int': 0.1, 'excluded': []}

    # the replies
    def asked(self):
        return True

    def agent(self, **kwargs):
        agent = Agent(self.home / tell.SOCKET, self.mark, **kwargs)
        self.addCleanup(agent.listening.close)
        return agent

    def tell(self):
        return tell.run({'router': UUID, 'guard': 0}, self, self)

    def refused(self):
        return self.assertRaises(errors.ProgramError, self.tell).kind

    def test_active(self):
        agent = self.agent()
        self.assertEqual(
            {'state': 'primary', 'answered': True, 'known': True}, self.tell()
        )
        self.assertIn(f'Router-Id: {UUID}'.encode(), agent.request)
        self.assertEqual('primary', self.mark.read_text())

    def test_word_of_an_old_agent(self):
        for other, word, age in (
            (UUID, 'backup', 0),
            ('older', 'primary', 500),
            ('newer', 'master', 100),
        ):
            path = self.home / 'ha_confs' / other / 'state'
            path.parent.mkdir(exist_ok=True)
            path.write_text(word)
            os.utime(path, (1e9 - age, 1e9 - age))
        self.agent()
        self.assertEqual('master', self.tell()['state'])

    def test_passive(self):
        self.now, self.holds = active.PASSIVE, False
        self.agent()
        self.assertEqual('backup', self.tell()['state'])

    def test_agent_that_does_not_know_the_router(self):
        self.agent(knows=False)
        self.assertEqual(
            {'state': 'primary', 'answered': True, 'known': False},
            self.tell(),
        )

    def test_agent_that_refuses(self):
        self.agent(knows=False, answer=b'HTTP/1.1 500 No')
        done = self.tell()
        self.assertEqual((False, None), (done['answered'], done['known']))

    def test_agent_that_has_died(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(self.home / tell.SOCKET))
        self.assertFalse(self.tell()['answered'])

    def test_no_agent(self):
        self.assertEqual(errors.ABSENT, self.refused())

    def test_what_cannot_be_told(self):
        agent = self.agent()
        # the agent would be told once more by its own monitor
        for self.now in (active.UNCLEAR, active.PASSIVE):
            self.assertEqual(errors.UNSAFE, self.refused())
        self.assertEqual(b'', agent.request)
