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

"""The incident that the documents tell of, from its start to its end."""

import pathlib
import re
import signal
from typing import Any

import tests
from tests.functional.repair import base

SAMPLES = pathlib.Path(tests.__file__).parent.parent / 'doc/source/samples'
_CODE = re.compile(r'\b(?:INFO|WARNING|ERROR|UNKNOWN|to you:) (RHA[0-9]{3}) ')


class TestIncident(base.RepairTest):
    def test_from_its_start_to_its_end(self) -> None:
        """An L3 agent is stopped, and its keepalived with it; two hold it."""
        active, _ = self.settled()
        before = self.snapshots()
        node = self.lab.nodes[active]
        # as the container of the agent ends, with all that runs in it
        node.kill_l3_agent(signal.SIGKILL)
        self.kill(node.keepalived_pids(self.router))
        now = self.second_holder(active)
        self.rewritten(active, now)
        checked = self.check('--recheck', '2')
        self.told('check', checked, 5)
        self.assertEqual([now], checked.row['Active Hosts'])
        self.assertEqual('stale', checked.observed()[active])
        self._repaired(active, now)
        self.told('left', self.check('--recheck', '2'), 4)
        # the step by hand
        node.start_l3_agent()
        self.wait(
            'the agent to do its part',
            lambda: self.check('--recheck', '0').exit_code == 0,
            60,
        )
        self.told('end', self.check(), 0)
        self.assert_as(before)
        self.assert_nothing_to_do()

    def _repaired(self, active: str, now: str) -> None:
        """Repair what can be, and again, when there is nothing more."""
        repaired = self.repair(recheck=2)
        self.assertEqual([now], self.lab.vip_nodes(self.router))
        self.assertEqual(4, repaired.exit_code, repaired.stderr)
        self.assertEqual('incomplete', repaired.row['Result'])
        self.assertEqual(
            {
                (active, 'end'),
                (active, 'clean'),
                (active, 'forward'),
                (now, 'announce'),
            },
            set(repaired.actions) - {(now, 'report')},
        )
        # all that is left is the agent, and what only it starts
        self.assertEqual(
            {('RHA203', active), ('RHA301', active)}, repaired.refused
        )
        self.told('repair', repaired, 4)
        self.assert_reachable()
        held = self.lab.nodes[active].router(self.router)
        self.assertEqual(set(), held.addresses() & held.expected())
        again = self.repair()
        self.assertEqual(1, again.exit_code, again.stderr)
        self.assertEqual([], again.row['Actions'])

    def told(self, name: str, seen: Any, code: int) -> None:
        """See that this is what the documents show of the same step.

        :param name: of the sample
        :param seen: what a check or a repair has come to
        :param code: what it ends with
        """
        sample = (SAMPLES / f'incident-{name}.txt').read_text('utf-8')
        self.assertEqual(code, seen.exit_code, (seen.row, seen.stderr))
        self.assertEqual(
            code, int(sample.split('$ echo $?\n')[1]) if code else 0
        )
        self.assertEqual(
            set(_CODE.findall(sample)),
            {finding['code'] for finding in seen.row['Findings']},
        )
