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

"""What is seen once the nodes are locked, and what is done because of it."""

from osc_ha_router import errors
from tests.unit import lines
from tests.unit.repair import mending


class LockTest(mending.MendTest):
    """What is seen once the nodes are locked."""

    def rewrite(self, host: str) -> None:
        self.nodes.edit(lambda s: s.with_conf(host, sha256='e' * 64))

    def test_file_that_was_rewritten(self):
        """What is to be removed is what the old one named."""
        self.broken(self.well.with_address(self.standby, self.well.internal))
        made = self.look()
        self.rewrite(self.standby)
        refused = self.assertRaises(errors.Refused, self.mend, planned=made)
        self.assertIn('rewritten', str(refused))
        self.assertNotIn('clean', self.nodes.ops())

    def test_file_that_nothing_depends_on(self):
        """Neutron may write it because of what is to be mended."""
        self.broken(
            self.well.with_address(self.standby, self.well.internal).with_view(
                self.other, keepalived_conf=None
            )
        )
        made = self.look()
        self.nodes.edit(
            lambda s: s.with_view(
                self.other, keepalived_conf=self.well.conf(self.other)
            )
        )
        self.assert_outcome('MENDED', 0, self.mend(planned=made))

    def test_rewritten_after_something_was_done(self):
        """Neutron may have been asked to: it is looked at once more."""
        scene = self.well.with_address(self.standby, self.well.internal)
        self.broken(scene)

        def add() -> None:
            if self.nodes.ops(self.standby).count('clean') == 1:
                self.nodes.edit(
                    lambda s: s.with_address(self.standby, self.well.gateway)
                )

        self.nodes.fault(self.standby, 'finish', call=add)
        self.nodes.fault(
            self.standby,
            'begin',
            skip=1,
            call=lambda: self.rewrite(self.standby),
        )
        mended = self.mend()
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual(3, self.nodes.ops(self.standby).count('begin'))
        self.assertEqual(2, self.steps(mended).count(('clean', self.standby)))

    def test_file_of_a_standby_that_cannot_be_used(self):
        """It is cured, and what is wrong elsewhere as well."""
        self.broken(
            self.well.with_address(self.standby, self.well.internal).with_view(
                self.other, keepalived_conf=None
            )
        )
        mended = self.mend()
        self.assert_outcome('MENDED', 0, mended)
        self.assertLessEqual(
            {('clean', self.standby), ('provoke', None)},
            set(self.steps(mended)),
        )

    def test_file_of_the_active_node_that_cannot_be_used(self):
        """Nothing is taken away, and the rest is done."""
        self.broken(
            self.well.with_address(self.standby, self.well.internal).with_view(
                self.active, keepalived_conf=None
            )
        )
        self.nodes.fault(
            self.active,
            'watch',
            trouble=lines.refusal(self.active, 'unfit', 'it is garbled'),
        )
        mended = self.mend(seconds=2)
        self.assertNotIn('clean', self.nodes.ops())
        by_op = {step.action.op.value: step for step in mended.steps}
        self.assertIn('cannot be told', by_op['clean'].words)
        self.assertEqual(
            (True, False), (by_op['clean'].failed, by_op['clean'].changed)
        )
        self.assertTrue(by_op['provoke'].changed)

    def test_passive_node_is_silent_before_a_device_is_up(self):
        device = self.well.device(self.standby, 'qr-')
        self.broken(self.well.with_link_down(self.standby, device))
        self.mend()
        asked = self.nodes.ops(self.standby)
        self.assertLess(asked.index('quiet'), asked.index('link-up'))

    def test_active_node_is_not(self):
        device = self.well.device(self.active, 'qr-')
        self.broken(self.well.with_link_down(self.active, device))
        self.mend()
        self.assertNotIn('quiet', self.nodes.ops())

    def test_nor_an_ha_device(self):
        device = self.well.device(self.standby, 'ha-')
        self.broken(self.well.with_link_down(self.standby, device))
        self.mend()
        self.assertNotIn('quiet', self.nodes.ops())
