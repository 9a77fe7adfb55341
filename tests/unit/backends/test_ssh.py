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

from collections.abc import Iterator
import time
from typing import Any
from unittest import mock

import testtools

from osc_ha_router import config
from osc_ha_router.backends import base
from osc_ha_router.backends import ssh
from osc_ha_router.model import view
from tests.unit.backends import fake

ROUTERS = (
    'aaaaaaaa-0000-4000-8000-000000000001',
    'aaaaaaaa-0000-4000-8000-000000000002',
)

#: answers with a view of each router that it is asked about
WELL = """
say(hello=dict(HELLO, hostname=sys.argv[-2]))
request = hear()
for router in request["routers"]:
    say(id=1, view=dict(router_id=router, namespace="qrouter-" + router))
say(id=1, end=dict(residents=[dict(
    router_id=router, namespaces=["qrouter-" + router], vrid=7
)], seconds=0.01))
"""


class SshBackendTest(testtools.TestCase):
    def ssh(self, script: str) -> fake.FakeSsh:
        self.program = fake.FakeSsh(script)
        self.useFixture(self.program)
        return self.program

    def probe(
        self,
        *hosts: str,
        routers: tuple[str, ...] | None = ROUTERS,
        listen: float = 0.0,
        seconds: float = 20,
        **settings: Any,
    ) -> Iterator[view.HostView]:
        return ssh.SshBackend(config.Settings(**settings)).probe(
            [base.Request(host, routers, listen) for host in hosts],
            base.Deadline.after(seconds),
        )

    def fail_to_look(
        self, kind: str, *args: Any, **kwargs: Any
    ) -> view.HostView:
        (seen,) = self.probe(*(args or ('net1',)), **kwargs)
        assert seen.failure is not None
        self.assertEqual(kind, seen.failure.kind)
        return seen

    def test_answer(self) -> None:
        self.ssh(WELL)
        (seen,) = self.probe('net1')
        assert seen.seconds is not None
        self.assertTrue(0 < seen.seconds < 10)
        self.assertEqual(
            view.HostView(
                host='net1',
                views=tuple(
                    view.NodeView(router, f'qrouter-{router}')
                    for router in ROUTERS
                ),
                residents=(
                    view.Resident(ROUTERS[1], (f'qrouter-{ROUTERS[1]}',), 7),
                ),
                hostname='net1',
                seconds=seen.seconds,
            ),
            seen,
        )

    def test_request(self) -> None:
        self.ssh('say(hello=HELLO); err(repr(hear())); sys.exit(1)')
        for routers, listen in ((ROUTERS, 2.5), (None, 0.0), ((), 0.0)):
            seen = self.fail_to_look(
                'truncated', routers=routers, listen=listen
            )
            request = {
                'id': 1,
                'op': 'probe',
                'routers': None if routers is None else list(routers),
                'listen': listen,
                'residents': True,
                'recover': True,
            }
            assert seen.failure is not None
            self.assertIn(repr(request)[:150], seen.failure.message)

    def test_what_was_seen_before_the_failure_is_kept(self) -> None:
        self.ssh(WELL.replace('say(id=1, end', 'sys.exit(1); say(id=1, end'))
        seen = self.fail_to_look('truncated')
        self.assertEqual(ROUTERS, tuple(one.router_id for one in seen.views))
        self.assertIsNone(seen.residents)
        self.assertEqual('net1', seen.hostname)

    def test_one_view_for_each_request(self) -> None:
        self.ssh(WELL)
        hosts = [f'net{number}' for number in range(30)] + ['net1', '-bad']
        views = list(self.probe(*hosts, concurrency=8))
        self.assertEqual(sorted(hosts), sorted(seen.host for seen in views))
        for seen in views:
            if seen.host != '-bad':
                self.assertIsNone(seen.failure)
                self.assertEqual(seen.host, seen.hostname)
        self.assertEqual([], list(self.probe()))

    def test_invalid_host_is_not_asked(self) -> None:
        self.ssh(WELL)
        for host in ('-oProxyCommand=x', 'a b', 'a@b', 'a\x1b[2J', ''):
            seen = self.fail_to_look('invalid-host', host)
            self.assertEqual(host, seen.host)
            assert seen.failure is not None
            self.assertTrue(seen.failure.message.isprintable())
        self.assertEqual([], self.program.argvs)

    def test_invalid_router_is_not_asked_about(self) -> None:
        self.ssh(WELL)
        for router in ('', 'x', ROUTERS[0].upper(), ROUTERS[0] + '\n'):
            self.fail_to_look('invalid-router', routers=(ROUTERS[0], router))
        self.assertEqual([], self.program.argvs)

    def test_template(self) -> None:
        self.ssh(WELL)
        (seen,) = self.probe('net1.example.org', ssh_host='{short}-mgmt')
        self.assertEqual('net1.example.org', seen.host)
        self.assertEqual('net1-mgmt', seen.hostname)
        seen = self.fail_to_look('invalid-host', 'net1', ssh_host='-{short}')
        self.assertEqual('net1', seen.host)

    def test_names_in_a_failure(self) -> None:
        self.ssh('sys.exit(255)')
        seen = self.fail_to_look(
            'ssh', 'net1.a', ssh_host='{short}', ssh_user='op', ssh_config='/c'
        )
        assert seen.failure is not None
        self.assertIn('net1.a', seen.failure.message)
        self.assertIn('`ssh -F /c op@net1 true`', seen.failure.advice)

    def test_bound(self) -> None:
        self.ssh('say(hello=HELLO); time.sleep(60)')
        began = time.monotonic()
        self.fail_to_look('timeout', probe_timeout=1.0)
        self.assertLess(time.monotonic() - began, 3)

    def test_listening_is_on_top_of_the_bound(self) -> None:
        self.ssh(
            'say(hello=HELLO); listen = hear()["listen"]; time.sleep(listen)\n'
            'say(id=1, end={})'
        )
        (seen,) = self.probe('net1', listen=2.0, probe_timeout=1.5)
        self.assertIsNone(seen.failure)

    def test_deadline_is_nearer_than_the_bound(self) -> None:
        self.ssh('say(hello=HELLO); time.sleep(60)')
        began = time.monotonic()
        self.fail_to_look('deadline', seconds=1.0)
        self.assertLess(time.monotonic() - began, 3)

    def test_deadline_is_not_what_ssh_has_waited_for(self) -> None:
        self.ssh(
            'err("ssh: connect to host net1 port 22: Connection timed out")\n'
            'sys.exit(255)'
        )
        self.fail_to_look('connect-timeout', seconds=5, probe_timeout=10.0)

    def test_deadline_before_its_turn(self) -> None:
        self.ssh('say(hello=HELLO); time.sleep(60)')
        views = list(
            self.probe('net1', 'net2', 'net3', concurrency=1, seconds=1.0)
        )
        kinds = [seen.failure and seen.failure.kind for seen in views]
        self.assertEqual(['deadline'] * 3, kinds)
        self.assertEqual(1, len(self.program.pids))
        for seen in views[1:]:
            self.assertIn('before its turn', str(seen.failure))

    def test_views_that_nobody_asked_for(self) -> None:
        self.ssh(
            'say(hello=HELLO); hear()\n'
            f'say(id=1, view=dict(router_id={ROUTERS[0]!r}, namespace=None))\n'
            f'say(id=1, view=dict(router_id={ROUTERS[1]!r}, namespace=None))\n'
        )
        seen = self.fail_to_look('garbled', routers=ROUTERS[:1])
        self.assertEqual(1, len(seen.views))

    def test_same_view_twice(self) -> None:
        self.ssh(
            'say(hello=HELLO); hear()\n'
            'for _ in range(2): say(id=1, view=dict('
            f'router_id={ROUTERS[0]!r}, namespace=None))\n'
        )
        for routers in (ROUTERS, None):
            self.assertEqual(
                1, len(self.fail_to_look('garbled', routers=routers).views)
            )

    def test_views_before_a_flood_are_kept(self) -> None:
        # in one piece, so that all of it is there at once
        self.ssh(
            'say(hello=HELLO); hear()\n'
            f'view = dict(router_id={ROUTERS[0]!r}, namespace=None)\n'
            'out(json.dumps(dict(id=1, view=view)) + chr(10) + "x" * 60000)\n'
            'time.sleep(60)'
        )
        with mock.patch('osc_ha_router.backends.channel.LINE_LIMIT', 50_000):
            seen = self.fail_to_look('oversized')
        self.assertEqual(1, len(seen.views))

    def test_views_of_another_shape(self) -> None:
        for reply in (
            'view=1',
            'view={}',
            'view=dict(router_id=1, namespace=None)',
            'end=1',
            'end=dict(residents=[{}])',
        ):
            self.ssh(f'say(hello=HELLO); hear(); say(id=1, {reply})')
            self.fail_to_look('garbled')

    def test_replies_of_a_newer_program(self) -> None:
        self.ssh('say(hello=HELLO); hear(); say(id=1, x=1); say(id=1, end={})')
        (seen,) = self.probe('net1')
        self.assertIsNone(seen.failure)

    def test_closing_early(self) -> None:
        self.ssh('if sys.argv[-2] != "net1": time.sleep(60)\n' + WELL)
        views = self.probe(*(f'net{number}' for number in range(1, 9)))
        self.assertEqual('net1', next(views).host)
        began = time.monotonic()
        views.close()  # type: ignore[attr-defined]
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual([], [p for p in self.program.pids if fake.alive(p)])
