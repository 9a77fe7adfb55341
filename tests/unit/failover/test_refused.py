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

"""Moves that are refused when everything is at hand: nothing is changed."""

from osc_ha_router import errors
from osc_ha_router.backends import base as backends
from tests.unit import lines
from tests.unit.failover import move

#: operations that change nothing that would be seen
HARMLESS = {'begin', 'watch', 'finish'}


class RefusedTest(move.MoveTest):
    def refused(
        self,
        kind: type[errors.Error] = errors.Refused,
        seconds: float = 30,
        **wish,
    ) -> str:
        """Return the words, and see that everything is as it was."""
        plan = self.plan(**wish)
        return self.refused_to(plan, kind, seconds)

    def refused_to(
        self, plan, kind=errors.Refused, seconds: float = 30
    ) -> str:
        before = self.nodes.scene
        refusal = self.assertRaises(
            errors.Error, self.carry_out, plan, seconds
        )
        self.assertIs(kind, type(refusal))
        self.assertLessEqual(set(self.nodes.ops()), HARMLESS)
        self.assertEqual(before, self.nodes.scene)
        self.assertNotIn('act', [phase for phase, _ in self.told])
        return str(refusal)

    def begun(self) -> list[str]:
        return [host for host, op, _ in self.nodes.asked if op == 'begin']

    def finished(self) -> list[str]:
        return [host for host, op, _ in self.nodes.asked if op == 'finish']

    # -- locks -------------------------------------------------------------

    def test_locks_are_taken_in_order(self):
        for method in move.METHODS:
            self.renew()
            self.move(method)
            self.assertEqual(sorted(self.well.names), self.begun())
            first = self.nodes.ops()[: len(self.begun())]
            self.assertEqual({'begin'}, set(first))

    def test_locked(self):
        names = sorted(self.well.names)
        for at, host in enumerate(names):
            with self.subTest(host=host):
                self.renew()
                self.foreign = {host: ('anna on jump1, pid 7', '10:11:12Z')}
                self.nodes.locks = dict(self.foreign)
                words = self.refused(errors.Locked)
                self.assertIn('by anna on jump1, pid 7', words)
                self.assertIn('since 10:11:12Z', words)
                self.assertIn(host, words)
                # who was locked before is free again, and told so
                self.assertEqual(names[: at + 1], self.begun())
                self.assertEqual(names[:at], self.finished())
                self.assertEqual(names, sorted(self.nodes.closed))

    def test_locked_by_somebody_with_a_name_to_fear(self):
        host = sorted(self.well.names)[0]
        self.foreign = {host: ('\x1b]0;x\x07eve\n', '\x1b[2J')}
        self.nodes.locks = dict(self.foreign)
        words = self.refused(errors.Locked)
        self.assertIn('eve', words)
        for line in words.splitlines():
            self.assertTrue(line.isprintable(), words)

    def test_who_does_it_is_told(self):
        self.move()
        for host in self.well.names:
            (fields,) = self.nodes.fields(host, 'begin')
            self.assertEqual('somebody', fields['by'])
            # what is begun outlasts the command's own time a little
            self.assertTrue(29 < fields['seconds'] <= 31)

    # -- not what it was ---------------------------------------------------

    def test_moved_meanwhile(self):
        plan = self.plan()
        self.nodes.move(self.other)
        words = self.refused_to(plan)
        self.assertIn(f'{self.active} is not active any more', words)
        self.assertEqual(sorted(self.well.names), self.finished())

    def test_configuration_rewritten_meanwhile(self):
        for host in self.well.names:
            with self.subTest(host=host):
                self.renew()
                plan = self.plan()
                self.nodes.edit(
                    lambda s, at=host: s.with_conf(at, sha256='d' * 64)
                )
                words = self.refused_to(plan)
                self.assertIn(f'keepalived.conf on {host}', words)
                self.assertEqual(self.begun(), self.finished())

    def test_configuration_that_was_not_seen(self):
        """A node without is not asked; one more than planned is let be."""
        self.nodes.edit(
            lambda s: s.with_view(self.other, keepalived_conf=None)
        )
        codes = frozenset(f.code for f in self.nodes.scene.judge().findings)
        moved = self.carry_out(self.plan(ignore=codes), wait=False)
        self.assertEqual('VERIFIED', moved.outcome.name, moved.notes)
        self.assertEqual([], self.nodes.ops(self.other))

    # -- trouble -----------------------------------------------------------

    def test_line_that_cannot_be_opened(self):
        for host in self.well.names:
            for trouble in (
                lines.trouble(host, 'refused', 'Connection refused'),
                lines.trouble(host, 'become-password'),
            ):
                self.renew()
                self.nodes.fault(host, 'open', trouble=trouble)
                words = self.refused()
                self.assertIn(trouble.failure.message, words)
                self.assertIn(trouble.failure.advice, words)
                self.assertEqual([], self.nodes.ops())

    def test_trouble_while_locking(self):
        for op in ('begin', 'watch'):
            hosts = self.well.names if op == 'begin' else [self.active]
            for host in hosts:
                for kind in ('truncated', 'timeout', 'node-error', 'version'):
                    self.renew()
                    trouble = lines.trouble(host, kind, 'no\x1breason')
                    self.nodes.fault(host, op, trouble=trouble)
                    words = self.refused()
                    self.assertIn('no\\x1breason', words)
                    healthy = set(self.begun()) - {host}
                    self.assertLessEqual(healthy, set(self.finished()))

    def test_what_the_node_program_refuses(self):
        for kind in ('absent', 'unfit', 'left', 'no-rights', 'internal'):
            self.renew()
            host = max(self.well.names)
            self.nodes.fault(
                host,
                'begin',
                trouble=lines.refusal(host, kind, 'for a reason'),
            )
            self.assertIn('for a reason', self.refused())

    def test_answers_that_are_not_understood(self):
        host = max(self.well.names)
        for end in ({'sha256': None}, {'undone': 'x'}, {'keepalived': ['1']}):
            self.renew()
            self.nodes.fault(host, 'begin', end=end)
            words = self.refused()
            self.assertIn(f'{host} answered something else', words)
            self.assertIn('version', words)

    def test_node_that_is_slow_to_lock(self):
        """Its time is bounded, and the others are freed."""
        host = max(self.well.names)
        self.nodes.fault(host, 'begin', seconds=60)
        words = self.refused(seconds=0.8)
        self.assertIn(f'{host} did not answer', words)

    # -- time --------------------------------------------------------------

    def test_too_little_time(self):
        plan = self.plan()
        words = self.refused_to(plan, seconds=0.5)
        self.assertIn('--timeout', words)
        self.assertEqual([], self.nodes.opened)

    def test_backend_that_can_only_look(self):
        class Looking(type(self.nodes)):
            converse = backends.Backend.converse

        self.nodes.__class__ = Looking
        words = self.refused()
        self.assertIn('--backend', words)
