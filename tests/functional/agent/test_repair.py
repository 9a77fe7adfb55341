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

"""Repair through the node agents: what it does over SSH, by another way."""

from tests.functional.repair import base


class RepairTest(base.RepairTest):
    """Router r1, mended by an administrator who has no SSH."""

    def test_addresses(self) -> None:
        """One is missing where it is active, one is left where it is not."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        lost = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (d for d, a in replica.expected() if a == lost)
        replica.run(['ip', 'address', 'del', lost, 'dev', device])
        other = self.lab.nodes[standby].router(self.router)
        left = next(
            (d, a)
            for d, a in sorted(other.expected())
            if d.startswith('qr-') and '.' in a
        )
        other.run(['ip', 'address', 'add', left[1], 'dev', left[0]])
        self.cured(
            (active, 'add'),
            (active, 'announce'),
            (standby, 'clean'),
            env={
                'OS_ROUTER_HA_BACKEND': 'agent',
                # whoever has no way to log in
                'OS_ROUTER_HA_SSH_CONFIG': '/nonexistent',
            },
        )
        self.assertNotIn(left, other.addresses())
        self.assertIn((device, lost), replica.addresses())
        self.assert_as(before)
