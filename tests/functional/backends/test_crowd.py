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

"""Many hosts at once, and being interrupted in the middle."""

import os
import signal
import threading
import time

from tests.functional.backends import base
from tests.functional.backends import space

HOSTS = tuple(f'net{number}' for number in range(1, 21))


class CrowdTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.site.force('exec sleep 60')

    def place(self, **hosts: str) -> None:
        """Give each host an address of its own, or what is said here."""
        self.site.configure(
            '\n'.join(
                f'Host {host}\n  '
                + hosts.get(host, f'HostName 127.0.0.{number}')
                for number, host in enumerate(HOSTS, 1)
            )
        )

    def test_one_of_twenty_is_dead(self) -> None:
        self.place(net7=f'HostName {space.Space.SILENT}')
        began = time.monotonic()
        views = list(self.probe(*HOSTS, probe_timeout=15.0, concurrency=20))
        self.assertLess(time.monotonic() - began, 16)
        self.assertEqual(sorted(HOSTS), sorted(view.host for view in views))
        failed = {view.host: view.failure for view in views if view.failure}
        self.assertEqual(['net7'], list(failed))
        assert failed['net7'] is not None
        self.assertEqual('connect-timeout', failed['net7'].kind)
        # nobody has waited for it
        self.assertEqual('net7', views[-1].host)

    def test_fewer_at_once_than_hosts(self) -> None:
        self.place()
        views = list(self.probe(*HOSTS[:6], concurrency=2))
        self.assertEqual(sorted(HOSTS[:6]), sorted(v.host for v in views))
        self.assertEqual([], [view.failure for view in views if view.failure])

    def test_deadline_before_their_turn(self) -> None:
        self.place(net1='User forced', net2='User forced')
        views = list(
            self.probe(*HOSTS[:8], ssh_user='', concurrency=2, seconds=2.0)
        )
        self.assertEqual(8, len(views))
        self.assertEqual(
            {'deadline'},
            {view.failure and view.failure.kind for view in views},
        )
        waiting = [v for v in views if 'its turn' in str(v.failure)]
        self.assertEqual(6, len(waiting))

    def test_closing_early_ends_what_is_under_way(self) -> None:
        hanging = {host: 'User forced' for host in HOSTS[1:8]}
        self.place(**hanging, net1='User stack')
        before = base.children()
        views = self.probe(*HOSTS[:8], ssh_user='')
        self.assertEqual('net1', next(views).host)
        self.assertEqual(7, self._ssh_processes(before))
        began = time.monotonic()
        views.close()  # type: ignore[attr-defined]
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(set(), base.children() - before)

    def test_interrupt_from_the_keyboard(self) -> None:
        self.place(**{host: 'User forced' for host in HOSTS[:8]})
        # whoever starts this in the background has it ignored
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, handler)
        before = base.children()
        interrupted: list[float] = []

        def interrupt() -> None:
            interrupted.append(self._ssh_processes(before))
            interrupted.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(3, interrupt)
        timer.start()
        self.addCleanup(timer.join)
        self.assertRaises(
            KeyboardInterrupt, list, self.probe(*HOSTS[:8], ssh_user='')
        )
        self.assertEqual(8, interrupted[0])
        self.assertLess(time.monotonic() - interrupted[1], 1)
        self.assertEqual(set(), base.children() - before)

    def _ssh_processes(self, before: set[str]) -> int:
        new = base.children() - before
        return sum(label.endswith(' (ssh)') for label in new)
