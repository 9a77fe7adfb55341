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

"""What goes wrong after something was done, or may have been."""

from osc_ha_router import errors
from tests.unit import lines
from tests.unit.repair import mending


class NodeTest(mending.FailTest):
    """What a node, or Neutron, does not do to its end."""

    def test_addresses_that_the_kernel_keeps(self):
        self.broken(self.well.with_address(self.standby, self.well.internal))
        self.nodes.fault(
            self.standby,
            'clean',
            trouble=lines.refusal(self.standby, 'left', 'the kernel keeps x'),
        )
        self.assert_incomplete(self.mend(seconds=2), 'the kernel keeps x')

    def test_refused_before_anything(self):
        self.broken(self.well.with_address(self.standby, self.well.internal))
        for kind in ('unsafe', 'unfit', 'absent'):
            self.nodes.fault(
                self.standby,
                'clean',
                trouble=lines.refusal(self.standby, kind, 'it is active'),
            )
            mended = self.mend(seconds=1)
            self.assert_unchanged(mended, 'it is active')

    def test_mistake_of_the_node_program(self):
        """Nobody knows how far it has come."""
        self.broken(self.well.without_route(self.active, '0.0.0.0/0'))
        self.nodes.fault(
            self.active,
            'reload',
            trouble=lines.refusal(self.active, 'internal', 'OSError: x'),
        )
        self.assert_incomplete(self.mend(seconds=2), 'OSError')

    def test_line_that_breaks(self):
        self.broken(self.well.without_route(self.active, '0.0.0.0/0'))
        self.nodes.fault(
            self.active, 'reload', trouble=lines.trouble(self.active)
        )
        self.assert_incomplete(self.mend(seconds=2))

    def test_line_that_breaks_before(self):
        self.broken(self.well.with_address(self.standby, self.well.internal))
        self.nodes.fault(
            self.standby, 'quiet', trouble=lines.trouble(self.standby)
        )
        self.assert_unchanged(self.mend(seconds=2), 'not begun')
        self.assertNotIn('clean', self.nodes.ops())

    def test_second_device(self):
        first, second = sorted(
            self.well.device(self.active, prefix) for prefix in ('qg-', 'qr-')
        )
        self.broken(
            self.well.with_link_down(self.active, first).with_link_down(
                self.active, second
            )
        )
        self.nodes.fault(
            self.active,
            'link-up',
            skip=1,
            trouble=lines.refusal(self.active, 'absent', 'it has gone'),
        )
        mended = self.mend(seconds=2)
        up = mended.steps[0]
        self.assertEqual((True, True), (up.failed, up.changed))
        self.assertIn(' is up; ', up.words)
        self.assertIn('it has gone', up.words)

    def test_ports_of_which_some_are_bound(self):
        (port,) = self.well.ports('network:router_gateway')
        scene = self.well.with_port(port.id, host=self.standby)
        self.broken(scene.with_agent(self.active, alive=False))
        self.neutron.refuses = errors.Halfway('1 of the ports are bound')
        self.assert_incomplete(self.mend(seconds=2), '1 of the ports')

    def test_ports_on_a_node_that_is_lost(self):
        (port,) = self.well.ports('network:router_gateway')
        scene = self.well.with_port(port.id, host=self.standby)
        self.broken(scene.with_agent(self.active, alive=False))
        self.nodes.fault(
            self.active,
            'takeover',
            after='active',
            trouble=lines.trouble(self.active),
        )
        mended = self.mend(seconds=2)
        self.assertIn('1 ports are bound; ', mended.steps[0].words)
        self.assertTrue(mended.steps[0].changed)

    def test_agent_that_was_told(self):
        """It may act on it later."""
        for told in (
            {'answered': False, 'known': None},
            {'answered': True, 'known': False},
        ):
            self.broken(self.well.with_state_file(self.standby, 'primary'))
            self.nodes.told[self.standby] = told
            self.assert_incomplete(self.mend(seconds=1), 'the L3 agent does')

    def test_update_that_neutron_refuses(self):
        for refuses, name in (
            (errors.CloudError('no'), 'FAILED'),
            (errors.Halfway('504'), 'INCOMPLETE'),
        ):
            self.broken(self.well.without_keepalived(self.standby))
            self.neutron.refuses = refuses
            mended = self.mend(seconds=1)
            self.assertEqual(name, mended.outcome.name)


class EvictTest(mending.FailTest):
    """A leftover, of which some is gone by then."""

    def setUp(self):
        super().setUp()
        self.broken(self.well.without_agents(self.standby))

    def test_agent_that_hangs(self):
        self.nodes.told[self.standby] = {'answered': False, 'known': None}
        self.assert_incomplete(
            self.mend(seconds=2), '2 processes ended; ', 'does not answer'
        )

    def test_rest_that_cannot_be_removed(self):
        self.nodes.told[self.standby] = {'answered': True, 'known': False}
        self.nodes.fault(
            self.standby,
            'evict',
            skip=1,
            trouble=lines.refusal(self.standby, 'left', 'dnsmasq is in it'),
        )
        self.assert_incomplete(
            self.mend(seconds=2), '2 processes ended; ', 'dnsmasq'
        )

    def test_neutron_refuses(self):
        self.neutron.refuses = errors.CloudError('it is disabled')
        self.assert_incomplete(
            self.mend(seconds=2), '2 processes ended; ', 'it is disabled'
        )

    def test_neutron_has_it_there_by_now(self):
        """Asked before anything is ended."""
        made = self.look()
        self.nodes.edit(lambda s: self.well)
        self.nodes.fault(
            self.active,
            'finish',
            call=lambda: self.nodes.edit(
                lambda s: self.well.without_agents(self.standby)
            ),
        )
        mended = self.mend(seconds=2, planned=made)
        self.assertIn('by now', mended.steps[0].words)
        self.assertFalse(mended.steps[0].changed)
        self.assertNotIn('evict', self.nodes.ops())

    def test_neutron_cannot_be_asked(self):
        made = self.look()
        self.neutron.trouble = errors.CloudUnreachable('it is down')
        mended = self.mend(seconds=1, planned=made)
        self.assertIn('it is down', mended.steps[0].words)
        self.assertNotIn('evict', self.nodes.ops())


class LastHolderTest(mending.FailTest):
    """A leftover that serves, and that a standby has to follow."""

    def setUp(self):
        super().setUp()
        self.broken(self.well.without_agents(self.active))

    def test_followed(self):
        made = self.look()
        self.assertIsNone(made.serving)
        self.mend(seconds=1, planned=made)
        self.assertIn('evict', self.nodes.ops())

    def test_nobody_could_follow_any_more(self):
        made = self.look()
        for host in (self.standby, self.other):
            self.nodes.edit(lambda s, h=host: s.without_keepalived(h))
        mended = self.mend(seconds=1, planned=made)
        self.assertIn('able to take over', mended.steps[0].words)
        self.assertNotIn('evict', self.nodes.ops())
        self.assertNotIn('quiet', self.nodes.ops())

    def test_it_does_not_serve_any_more(self):
        made = self.look()
        self.nodes.edit(lambda s: s.without_role(self.active))
        for host in (self.standby, self.other):
            self.nodes.edit(lambda s, h=host: s.without_keepalived(h))
        self.mend(seconds=1, planned=made)
        self.assertIn('evict', self.nodes.ops())

    def test_it_cannot_be_told_whether_it_serves(self):
        made = self.look()
        self.nodes.fault(
            self.active,
            'watch',
            trouble=lines.refusal(self.active, 'unfit', 'it is garbled'),
        )
        self.mend(seconds=1, planned=made)
        self.assertIn('evict', self.nodes.ops())
