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

"""What the functional tests share: the lab, and the real command."""

from collections.abc import Callable
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import testtools

from tests.lab import mending
from tests.lab import progress
from tests.lab import repairs
from tests.lab.errors import LabError
from tests.lab.lab import Lab

#: where to keep the capture of each scenario; unset: nowhere
CAPTURES = os.environ.get('OSC_HA_ROUTER_CAPTURES')


class Checked:
    """What one ``openstack router ha check -f json`` came to."""

    def __init__(self, done: 'subprocess.CompletedProcess[str]') -> None:
        self.exit_code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        self.rows: list[dict[str, Any]] = json.loads(done.stdout or '[]')

    @property
    def row(self) -> dict[str, Any]:
        """The only router's row."""
        if len(self.rows) != 1:
            raise AssertionError(
                f'{len(self.rows)} rows, exit code {self.exit_code}: '
                + self.stderr
            )
        return self.rows[0]

    @property
    def found(self) -> set[tuple[str, str | None]]:
        """Code and host of every finding."""
        return {(f['code'], f['host']) for f in self.row['Findings']}

    def observed(self) -> dict[str, str]:
        """Host -> observed state."""
        return {r['host']: r['observed'] for r in self.row['Replicas']}


class LabTest(testtools.TestCase):
    """A test on the lab; every one leaves router r1 settled."""

    def setUp(self) -> None:
        super().setUp()
        self.lab = self.attach()
        # they have to run the code under test
        self.lab.serve()
        self.router = self.lab.facts['router']
        #: whether r1 was mended, and seen to be well, at the test's end
        self.mended = False
        #: the real command, with the plugin under test
        self.openstack = str(pathlib.Path(sys.prefix, 'bin', 'openstack'))

    def attach(self) -> Lab:
        """Return the lab to test on."""
        # a lab that is not up is a failure, not a reason to skip
        return Lab.attach()

    def settled(self) -> tuple[str, list[str]]:
        """Return r1's active node and its standbys, and mend it after."""
        active = self.lab.mend()
        self.addCleanup(self._left_settled)
        return active, [name for name in self.lab.nodes if name != active]

    def _left_settled(self) -> None:
        """Mend r1 unless that was the last thing the test did."""
        if not self.mended:
            self.lab.mend()

    def check(
        self,
        *arguments: str,
        router: str = 'r1',
        capture: str | None = None,
        cloud: str = 'lab',
        env: dict[str, str] | None = None,
    ) -> Checked:
        """Run the real check.

        :param capture: also save what was seen, for the unit tests
        """
        if capture and CAPTURES:
            path = pathlib.Path(CAPTURES, f'{capture}.json')
            arguments += ('--save', str(path))
        done = self.lab.openstack(
            'router',
            'ha',
            'check',
            router,
            '-f',
            'json',
            *arguments,
            cloud=cloud,
            env=env,
        )
        self.assertNotIn('Traceback', done.stderr)
        return Checked(done)

    def assert_found(self, checked: Checked, code: str, host: str | None):
        self.assertIn((code, host), checked.found, checked.row['Findings'])

    def assert_mended(self) -> None:
        """Mend r1, and see that the check says so; the end of a test."""
        active = self.lab.mend()
        self.assert_well(self.check(), active)
        self.mended = True

    def assert_well(self, checked: Checked, active: str) -> None:
        """See that a check finds nothing, and one active node."""
        self.assertEqual([], checked.row['Findings'])
        self.assertEqual('OK', checked.row['Health'])
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual(0, checked.exit_code)

    def believed(self, node: str) -> bool:
        """Wait until Neutron has done all that follows a report of active.

        Before that, two who look do not see the same.

        :return: whether there was a report; a monitor is silent at the first
            change after its start
        """

        def look() -> bool:
            bound = mending.bound(self.lab, self.router)
            claimed = self.lab.claims(self.router)[node] == 'active'
            return claimed and set(bound.values()) == {node}

        try:
            progress.until(f'{node} to be believed', look, 25, 0.5)
        except LabError:
            return False
        return True

    def second_holder(self, first: str) -> str:
        """Wait until one more node holds the VIP, and return its name."""
        self.wait(
            'a second holder',
            lambda: len(self.lab.vip_nodes(self.router)) == 2,
        )
        (second,) = set(self.lab.vip_nodes(self.router)) - {first}
        return second

    def rewritten(self, active: str, now: str) -> None:
        """Wait until Neutron shows one active node, as if all were well."""
        self.wait(
            'Neutron to take the agent for dead',
            lambda: self.lab.claims(self.router)[active] == 'standby',
            60,
        )
        if self.lab.claims(self.router)[now] != 'active':
            # a monitor that was started anew is silent at its first change
            repairs.report(self.lab.nodes[now].router(self.router))
        self.wait(
            'the API to show one active',
            lambda: self.lab.claims(self.router)[now] == 'active',
        )

    def wait(
        self, what: str, condition: Callable[[], object], seconds: float = 30
    ) -> None:
        """Wait for what the scenario needs before it can be checked."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f'{what} did not come about in {seconds:.0f} s')
            time.sleep(0.3)
