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

"""Small repairs on a node, and what it tells the L3 agent."""

import time

from tests.functional.node import mended
from tests.functional.node import spaces


class NudgeTest(mended.MendTest):
    """Reload, link-up and forward."""

    def test_reload_brings_routes_back(self):
        self.active()
        self.router.ip('route', 'del', 'default')
        done = self.ask('reload')
        self.assertEqual({'pids': self.started[:1]}, done)
        self.assertTrue(
            spaces.eventually(lambda: 'default' in self.router.ip('route'), 3)
        )
        self.assertEqual(self.started, self.pids())

    def test_reload_without_keepalived(self):
        self.kill(*self.pids())
        self.assert_refused('no-keepalived', '', self.ask('reload'))

    def test_link_up(self):
        self.router.ip('link', 'set', spaces.QR, 'down')
        for changed in (True, False):
            done = self.ask('link-up', device=spaces.QR)
            self.assertEqual({'changed': changed}, done)
        self.assertIn(',UP', self.router.ip('link', 'show', 'dev', spaces.QR))

    def test_link_up_of_none(self):
        refused = self.ask('link-up', device='qr-00000000-00')
        self.assert_refused('absent', 'qr-00000000-00', refused)
        for device in ('lo', 'far', '../x', None):
            refused = self.ask('link-up', device=device)
            self.assert_refused('bad-request', '', refused)

    def forwarding(self, device):
        return self.router.execute(
            'sysctl', '-n', f'net.ipv6.conf.{device}.forwarding'
        ).strip()

    def test_forward_where_active(self):
        self.active()
        self.router.execute('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0')
        for changed in (True, False):
            self.assertEqual(
                {'on': True, 'changed': changed},
                self.ask('forward', device='all'),
            )
        self.assertEqual('1', self.forwarding('all'))
        refused = self.ask('forward', device=spaces.QG)
        self.assert_refused('unsafe', 'active', refused)
        self.assertEqual('1', self.forwarding(spaces.QG))

    def test_forward_where_not(self):
        self.kill(*self.pids())
        self.router.execute('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
        for changed in (True, False):
            self.assertEqual(
                {'on': False, 'changed': changed},
                self.ask('forward', device=spaces.QG),
            )
        self.assertEqual('0', self.forwarding(spaces.QG))
        self.assertEqual('1', self.forwarding(spaces.QR))
        self.assert_refused(
            'unsafe', 'not the active one', self.ask('forward', device='all')
        )
        for device in (spaces.QR, 'default', None):
            refused = self.ask('forward', device=device)
            self.assert_refused('bad-request', '', refused)


class ReportTest(mended.MendTest):
    """What the agent is told, and what its silence means."""

    def test_active(self):
        agent = self.useFixture(mended.Agent(self.router))
        self.active()
        done = self.ask('report')
        self.assertEqual(
            {'state': 'primary', 'answered': True, 'known': True}, done
        )
        (said,) = agent.told
        self.assertIn(f'X-Neutron-Router-Id: {self.uuid}\r\n'.encode(), said)
        self.assertIn(b'X-Neutron-State: primary\r\n', said)

    def test_old_agents_have_another_word(self):
        other = self.router.folder.parent / (
            '00000000-0000-4000-8000-000000000000'
        )
        other.mkdir()
        (other / 'state').write_text('master')
        self.useFixture(mended.Agent(self.router))
        self.active()
        self.assertEqual('master', self.ask('report')['state'])

    def test_standby(self):
        self.useFixture(mended.Agent(self.router))
        self.kill(*self.pids())
        self.assertEqual(
            {'state': 'backup', 'answered': True, 'known': True},
            self.ask('report'),
        )
        self.assertEqual('backup', (self.router.folder / 'state').read_text())

    def test_an_agent_that_does_not_know_it(self):
        self.useFixture(mended.Agent(self.router, knows=False))
        self.kill(*self.pids())
        self.assertEqual(
            {'state': 'backup', 'answered': True, 'known': False},
            self.ask('report'),
        )

    def test_nobody_is_there(self):
        self.kill(*self.pids())
        self.assert_refused('absent', 'socket', self.ask('report'))
        agent = mended.Agent(self.router)
        with agent:
            pass
        # its socket outlives it
        started = time.monotonic()
        self.assertEqual(
            {'state': 'backup', 'answered': False, 'known': None},
            self.ask('report'),
        )
        self.assertLess(time.monotonic() - started, 2)

    def test_a_stale_vip_is_not_reported(self):
        agent = self.useFixture(mended.Agent(self.router))
        self.active()
        self.kill(*self.pids())
        refused = self.ask('report')
        self.assert_refused('unsafe', 'still holds', refused)
        self.assertEqual([], agent.told)
