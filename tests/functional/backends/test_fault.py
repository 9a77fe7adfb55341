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

"""Faults of the network and of the node, at every stage of a conversation.

Whatever happens, and whenever: an error of a known kind, in bounded time,
and what was whole before it is kept.
"""

import threading
import time
from typing import Any

from osc_ha_router.backends import base as backends
from osc_ha_router.backends import failures
from osc_ha_router.backends import ssh
from osc_ha_router.model import view
from tests.functional.backends import base
from tests.functional.backends import test_failure
from tests.functional.backends import wires

HELLO, VIEW = test_failure.HELLO, test_failure.VIEW
#: seconds for one node, and for what ends afterwards
BOUND, MARGIN = 3.0, 2.0
#: bytes from the server: before its version, within it, in the exchange of
#: keys (which ends at some 3000), in the login, in the answer
STAGES = (0, 10, 300, 1500, 2900, 3400, 3720)
#: for every fault, what it may look like
FAULTS = {
    'hang': {'connect-timeout', 'timeout'},
    'drip': {'connect-timeout', 'timeout'},
    'reset': {'closed', 'truncated', 'ssh'},
    'close': {'closed', 'truncated', 'ssh'},
    'garble': {'closed', 'truncated', 'ssh', 'timeout', 'connect-timeout'},
    'flood': {'closed', 'truncated', 'ssh'},
}
#: what is said is over before the fault
_WHOLE = 'whole'


class NetworkTest(base.TestCase):
    """All stages of a fault at the same time, each on a node of its own."""

    def stages(self, fault: str) -> dict[str, view.HostView]:
        """Return what is seen of each node, by its name."""
        # ends by itself when it was asked and has answered
        self.site.force(
            f"echo '{HELLO}'; read -r line; echo '{VIEW}'; "
            'echo \'{"id":1,"end":{}}\''
        )
        lines = []
        for number, after in enumerate(STAGES):
            port = 3000 + number
            self.useFixture(wires.Wire(port, after, getattr(wires, fault)))
            lines.append(
                f'Host at-{after}\n  Port {port}\n  HostKeyAlias net1'
            )
        self.site.configure('\n'.join(lines))
        began = time.monotonic()
        found = {
            seen.host: seen
            for seen in self.probe(
                *(f'at-{after}' for after in STAGES),
                ssh_user='forced',
                probe_timeout=BOUND,
            )
        }
        self.assertLess(time.monotonic() - began, BOUND + MARGIN)
        self.assertEqual(len(STAGES), len(found))
        return found

    def assert_told(self, fault: str) -> None:
        kinds = {}
        for host, seen in self.stages(fault).items():
            if seen.failure is None:
                # it was over before
                kinds[host] = _WHOLE
                self.assertEqual(1, len(seen.views))
                continue
            kinds[host] = seen.failure.kind
            self.assertIn(seen.failure.kind, FAULTS[fault], seen.failure)
            self.assertTrue(seen.failure.advice)
            for word in (seen.failure.message, seen.failure.advice):
                self.assertTrue(word.isprintable(), word)
        # before there can be an answer there is none
        for after in STAGES[:4]:
            self.assertNotEqual(_WHOLE, kinds[f'at-{after}'], kinds)

    def test_hang(self) -> None:
        self.assert_told('hang')

    def test_slow_drip(self) -> None:
        self.assert_told('drip')

    def test_reset(self) -> None:
        self.assert_told('reset')

    def test_end(self) -> None:
        self.assert_told('close')

    def test_garbage(self) -> None:
        self.assert_told('garble')

    def test_flood(self) -> None:
        self.assert_told('flood')


class PartTest(base.TestCase):
    """What was whole is kept, whatever comes then."""

    def part(self, kind: str, then: str, **changes: Any) -> view.Failure:
        """Look at a node that does this after one view."""
        failure = self.force(
            kind,
            f"echo '{HELLO}'; echo '{VIEW}'; {then}",
            probe_timeout=BOUND,
            **changes,
        )
        self.assertEqual('net1', self.seen.hostname)
        (seen,) = self.seen.views
        self.assertEqual(base.ROUTER, seen.router_id)
        return failure

    def test_hang(self) -> None:
        failure = self.part('timeout', 'exec sleep 60')
        self.assertIn('stopped in between', failure.message)

    def test_hang_with_closed_output(self) -> None:
        self.part('truncated', 'exec >&-; sleep 0.3; exit 3')

    def test_half_a_line(self) -> None:
        self.part('timeout', "printf '{\"id\":1,'; exec sleep 60")

    def test_slow_drip(self) -> None:
        """Byte by byte is alive, and still too slow."""
        self.part('timeout', 'while :; do printf x; sleep 0.05; done')

    def test_slow_lines(self) -> None:
        event = '{"id":1,"event":"x"}'
        self.part('timeout', f"while :; do echo '{event}'; sleep 0.05; done")

    def test_garbage(self) -> None:
        self.part('garbled', 'head -c 3000 /dev/urandom; echo')

    def test_flood(self) -> None:
        self.part('oversized', "tr '\\0' x </dev/zero")

    def test_flood_of_errors(self) -> None:
        """Standard error is read, and forgotten but for its end."""
        self.part('timeout', 'yes oh no >&2')

    def test_end_of_nothing(self) -> None:
        self.part('truncated', 'exit 0')

    def test_another_answer(self) -> None:
        self.part('garbled', 'echo \'{"id":7,"end":{}}\'')

    def test_nested_without_end(self) -> None:
        self.part('garbled', "printf '{\"id\":1,\"view\":'; "
                  "head -c 60000 /dev/zero | tr '\\0' '['; echo")  # fmt: skip


class ConversationTest(base.TestCase):
    """The same for whoever goes on talking, as a failover does."""

    def talk(self, script: str) -> tuple[str, list[Any]]:
        """Ask once; return the kind of the failure, and what came before."""
        self.site.force(f"echo '{HELLO}'; read -r line; {script}")
        came: list[Any] = []
        backend = ssh.SshBackend(
            self.settings(ssh_user='forced', probe_timeout=BOUND)
        )
        began = time.monotonic()
        trouble = self.assertRaises(
            backends.Trouble, self._talk, backend, came
        )
        self.assertLess(time.monotonic() - began, BOUND + MARGIN)
        self.assertIn(trouble.failure.kind, failures.KINDS)
        return trouble.failure.kind, came

    def _talk(self, backend: ssh.SshBackend, came: list[Any]) -> None:
        with backend.converse(
            'net1', backends.Deadline.after(30), threading.Event()
        ) as line:
            for reply in line.call(
                'watch', {}, backends.Deadline.after(BOUND - 1)
            ):
                came.append(reply['event'])

    def test_each(self) -> None:
        event = 'echo \'{"id":1,"event":"x"}\''
        for script, kinds in (
            ('exec sleep 60', {'timeout'}),
            ('kill -9 $PPID', {'truncated', 'closed'}),
            ('exit 0', {'truncated'}),
            ('printf x; exec sleep 60', {'timeout'}),
            ('echo x', {'garbled'}),
            ("tr '\\0' x </dev/zero", {'oversized'}),
            ('while :; do printf x; sleep 0.05; done', {'timeout'}),
        ):
            kind, came = self.talk(f'{event}; {script}')
            self.assertIn(kind, kinds, script)
            self.assertEqual(['x'], came)
