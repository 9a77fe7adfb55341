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

"""A router that is off an L3 agent, or on it, for a moment."""

import os
import signal

import fixtures

from osc_ha_router import errors
from tests.unit import lines
from tests.unit.repair import mending


class Killed(BaseException):
    """Stands for SIGKILL: nothing is done after it."""


class ReseatTest(mending.FailTest):
    """A router that is off an agent for a moment."""

    def setUp(self):
        super().setUp()
        self.broken(self.well.without_namespace(self.standby))
        #: what was noted while it was off
        self.noted = {}
        self.neutron.taken = lambda: self.noted.update(self.nodes.owed)

    def off(self) -> None:
        """It is off the agent, and nobody gives it back."""
        self.nodes.edit(
            lambda s: s.without_agents(self.standby).without_namespace(
                self.standby
            )
        )

    def test_noted_meanwhile(self):
        """Where the router is active, and forgotten at the end."""
        self.assert_outcome('MENDED', 0, self.mend())
        self.assertEqual({self.active: self.standby}, self.noted)
        self.assertEqual({}, self.nodes.owed)

    def test_refused(self):
        self.neutron.refuses = errors.CloudError('it is refused')
        self.assert_unchanged(self.mend(seconds=1), 'it is refused')
        self.assertEqual({}, self.nodes.owed)

    def test_not_given_back(self):
        """The next repair does it."""

        def take():
            self.off()
            raise errors.Halfway('Neutron does not give it back')

        self.neutron.taken = take
        mended = self.mend(seconds=1)
        self.assert_incomplete(mended, 'does not give it back')
        self.assertIn('run the command', '\n'.join(mended.notes))
        self.assertEqual({self.active: self.standby}, self.nodes.owed)
        again = self.mend()
        self.assert_outcome('MENDED', 0, again)
        self.assertEqual([('give', self.standby)], self.steps(again))
        self.assertEqual({}, self.nodes.owed)

    def test_killed(self):
        def take():
            self.off()
            raise Killed

        self.neutron.taken = take
        self.assertRaises(Killed, self.mend)
        again = self.mend()
        self.assert_outcome('MENDED', 0, again)
        self.assertEqual([('give', self.standby)], self.steps(again))
        self.assertTrue(self.look().healthy)

    def test_node_that_has_the_note_is_lost(self):
        self.nodes.owed[self.active] = self.standby
        self.off()
        made = self.look()
        self.nodes.fault(
            self.active, 'owe', trouble=lines.trouble(self.active)
        )
        mended = self.mend(seconds=1, planned=made)
        self.assertTrue(mended.steps[0].changed)
        self.assertEqual({self.active: self.standby}, self.nodes.owed)

    def test_cannot_be_noted(self):
        self.nodes.fault(
            self.active,
            'owe',
            trouble=lines.refusal(self.active, 'internal', 'No space left'),
        )
        self.assert_unchanged(self.mend(seconds=1), 'not begun', 'No space')
        self.assertEqual([], self.neutron.done)

    def test_program_that_knows_no_notes(self):
        """Of an older version, installed on the nodes."""
        for host in self.well.names:
            self.nodes.fault(
                host,
                'owe',
                trouble=lines.refusal(host, 'unknown-op', 'unknown owe'),
            )
        self.assert_outcome('MENDED', 0, self.mend())
        self.assertEqual({}, self.noted)

    def test_interrupted(self):
        """Not before it is given back, and nothing is owed then."""
        # in the background it may be ignored
        handler = signal.default_int_handler
        before = signal.signal(signal.SIGINT, handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.neutron.taken = lambda: os.kill(os.getpid(), signal.SIGINT)
        self.assertRaises(KeyboardInterrupt, self.mend)
        self.assertIsNotNone(self.nodes.view(self.standby))
        self.assertEqual({}, self.nodes.owed)
        self.assertIn('interrupt', [phase for phase, _ in self.told])
        self.assertEqual(handler, signal.getsignal(signal.SIGINT))

    def test_expel_interrupted(self):
        handler = signal.default_int_handler
        before = signal.signal(signal.SIGINT, handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.broken(self.well.without_agents(self.standby))
        expel = self.neutron.expel

        def pressed(router_id, host):
            os.kill(os.getpid(), signal.SIGINT)
            expel(router_id, host)

        self.useFixture(
            fixtures.MockPatchObject(self.neutron, 'expel', pressed)
        )
        self.assertRaises(KeyboardInterrupt, self.mend)
        self.assertIsNone(self.nodes.view(self.standby))
