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

"""openstack router ha evacuate and rebalance, on one router."""

import json
import os
import signal
import threading
import time

import fixtures

from osc_ha_router import errors
from osc_ha_router.commands import moved as output
from osc_ha_router.commands import moving
from osc_ha_router.commands import progress
from osc_ha_router.fleet import plan
from osc_ha_router.fleet import run
from tests.unit import lines
from tests.unit import published
from tests.unit.commands import move

KEYS = [
    'Router',
    'Name',
    'From',
    'To',
    'Result',
    'Takeover Seconds',
    'Outage',
    'Health',
    'Notes',
]


class EvacuateTest(move.FleetTest):
    def evacuate(self, *options: str, host: str | None = None, code: int = 0):
        result = self.ran(
            'evacuate', host or self.active, '-f', 'json', *options
        )
        self.assertEqual(code, result.exit_code, result)
        self.assert_safe(result)
        rows = json.loads(result.stdout)
        published.match('evacuate', rows)
        for row in rows:
            self.assertEqual(KEYS, list(row))
        return rows

    def test_dry_run(self):
        (row,) = self.evacuate('--dry-run')
        self.assertEqual('planned', row['Result'])
        self.assertEqual(self.active, row['From'])
        self.assertIn(row['To'], (self.target, self.other))
        self.assert_untouched()

    def test_moved(self):
        (row,) = self.evacuate('--auto-approve')
        self.assertEqual('verified', row['Result'])
        self.assertEqual('OK', row['Health'])
        self.assertEqual('r1', row['Name'])
        self.assertEqual([], self.evacuate('--auto-approve'))

    def test_table(self):
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(0, result.exit_code, result)
        self.assert_narrow(result.stdout)
        self.assertIn(f'{self.active}: 1 -> 0', result.stdout)
        self.assertIn(f'No router is active on {self.active}', result.stdout)

    def test_nothing_there(self):
        self.assertEqual([], self.evacuate('--auto-approve', host=self.other))
        self.assert_untouched()

    def test_unknown_host(self):
        result = self.ran('evacuate', 'nowhere', '--auto-approve')
        self.assert_refused(result, 2, 'nowhere', self.active)

    def test_no_terminal(self):
        result = self.ran('evacuate', self.active)
        self.assertEqual(1, result.exit_code)
        self.assertIn('--auto-approve', result.stderr)
        self.assert_untouched()

    def test_not_confirmed(self):
        self.stdin(move.Terminal('n\n'))
        result = self.ran('evacuate', self.active)
        self.assertEqual(1, result.exit_code)
        self.assertIn('nothing was done', result.stderr)
        self.assert_untouched()

    def test_confirmed(self):
        self.stdin(move.Terminal('y\n'))
        (row,) = self.evacuate()
        self.assertEqual('verified', row['Result'])

    def test_host_that_cannot_be_looked_at(self):
        self.moving.dark.add(self.active)
        (row,) = self.evacuate('--auto-approve', code=3)
        self.assertEqual('unknown', row['Result'])
        self.assertNotEqual([], row['Notes'])

    def test_nobody_can_take_over(self):
        self.moving.dark.update((self.target, self.other))
        (row,) = self.evacuate('--auto-approve', code=1)
        self.assertEqual('refused', row['Result'])
        self.assert_untouched()

    def test_refused_on_the_way(self):
        """Somebody else has begun to move it since it was planned."""
        self.moving.faults[self.active, 'begin'] = lines.Fault(
            trouble=lines.refusal(self.active, 'locked', 'by somebody')
        )
        (row,) = self.evacuate('--auto-approve', code=1)
        self.assertEqual('refused', row['Result'])
        self.assertNotEqual([], row['Notes'])

    def test_rebalance_one(self):
        result = self.ran('rebalance', '--auto-approve', '-f', 'json')
        self.assertEqual((0, '[]\n'), (result.exit_code, result.stdout))
        self.assert_untouched()

    def test_rebalance_shows_the_nodes(self):
        result = self.ran('rebalance', '--dry-run')
        self.assertIn(f'{self.active}: 1\n', result.stdout)
        self.assertIn(f'{self.other}: 0\n', result.stdout)

    def test_bad_number(self):
        for number in ('0', '33', 'x'):
            result = self.ran('evacuate', self.active, '--parallel', number)
            self.assertEqual(2, result.exit_code)


class BarTest(move.FleetTest):
    """A terminal on standard error gets a bar, nobody else does."""

    def setUp(self):
        super().setUp()
        self.told = []
        test = self

        class Company(progress.Progress):
            def tell(self, what, done, total):
                test.told.append((what, done, total))
                super().tell(what, done, total)

        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.commands.progress.Progress', Company
            )
        )

    def test_routers_are_counted(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.commands.progress.wanted', lambda *_: True
            )
        )
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(0, result.exit_code, result)
        routers = [told for told in self.told if told[0] == 'routers']
        self.assertEqual([('routers', 0, 1), ('routers', 1, 1)], routers)
        self.assertIn('nodes', {what for what, _, _ in self.told})
        # what is said is said as ever
        self.assertIn('moved: r1 from', result.stderr)

    def test_nobody_looks(self):
        self.ran('evacuate', self.active, '--auto-approve')
        self.ran('--quiet', 'evacuate', self.active, '--auto-approve')
        self.assertEqual([], self.told)


class InterruptTest(move.FleetTest):
    """Ctrl-C ends the moves, not what waits for them."""

    def moves(self, number: int) -> list[plan.Move]:
        return [
            plan.Move(f'id{index}', f'r{index}', 'net1', 'net2')
            for index in range(number)
        ]

    def test_first_and_second(self):
        begun, cut = threading.Event(), threading.Event()

        class Slow:
            def __init__(self, *arguments, **options):
                pass

            def plan(self, *arguments):
                begun.set()

            def carry_out(self, *arguments, **options):
                cut.wait(30)
                raise run.errors.Refused('cut off')

            def cut_off(self):
                cut.set()

        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.failover.run.Failover', Slow)
        )
        told = []
        fleet = run.Fleet(None, None, tell=lambda *words: told.append(words))

        def press():
            begun.wait(30)
            for number in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                # one that has not arrived yet swallows the next one
                while len(told) <= number and not cut.wait(0.01):
                    pass

        # in the background it may be ignored
        handler = signal.default_int_handler
        before = signal.signal(signal.SIGINT, handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        presser = threading.Thread(target=press)
        presser.start()
        with moving._interrupting(fleet):
            done = list(
                fleet.carry_out(
                    self.moves(3),
                    run.planning.Wish(),
                    by='me',
                    parallel=1,
                    timeout=30,
                )
            )
        presser.join()
        self.assertEqual(handler, signal.getsignal(signal.SIGINT))
        self.assertEqual([True, False, False], [m.begun for m in done])
        self.assertTrue(fleet.interrupted)
        self.assertEqual(2, len(told))

    def test_while_something_is_said(self):
        """The interrupted thread may hold the lock of what is printed."""
        company = progress.Progress(True)
        said = []
        fleet = run.Fleet(None, None, tell=lambda *words: say(*words))

        def say(phase, message):
            company.tell('routers', 0, 1)
            said.append(phase)

        with moving._interrupting(fleet):
            with company._lock:
                os.kill(os.getpid(), signal.SIGINT)
                # the handler runs here, and must come back
                time.sleep(0.05)
        self.assertEqual(['interrupt'], said)

    def test_ignored_in_the_background(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        fleet = run.Fleet(None, None)
        with moving._interrupting(fleet):
            os.kill(os.getpid(), signal.SIGINT)
        self.assertFalse(fleet.interrupted)

    def test_during_the_last_look(self):
        """What has moved is shown all the same."""
        self.last_look(KeyboardInterrupt())
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(3, result.exit_code, result)
        self.assertIn('verified', result.stdout)
        self.assertIn('Interrupted', result.stdout)

    def test_last_look_fails(self):
        self.last_look(errors.CloudUnreachable('Neutron is down'))
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(3, result.exit_code, result)
        self.assertIn('verified', result.stdout)
        self.assertIn('is empty: Neutron is down', result.stdout)
        # whoever did not ask for that is not told of it
        self.assertNotIn('L3 agent', result.stdout)

    def test_what_follows_fails(self):
        """The table is shown all the same."""

        def after(*_):
            raise errors.CloudError('Neutron is down')

        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.commands.evacuate.EvacuateRouterHA.after',
                after,
            )
        )
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(3, result.exit_code, result)
        self.assertIn('verified', result.stdout)
        self.assertIn('Neutron is down', result.stdout)

    def test_during_the_last_move(self):
        """All has moved, and nobody has looked whether it is empty."""
        carry_out = run.Fleet.carry_out

        def pressed(fleet, *arguments, **options):
            yield from carry_out(fleet, *arguments, **options)
            fleet.interrupt()

        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.fleet.run.Fleet.carry_out', pressed
            )
        )
        result = self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual(3, result.exit_code, result)
        self.assertIn('verified', result.stdout)
        self.assertIn('is not proven', result.stdout)


class UnseenTest(move.FleetTest):
    """What nobody could see is not zero."""

    def setUp(self):
        super().setUp()
        self.moving.dark.add(self.other)

    def test_rebalance(self):
        for options in (('--dry-run',), ('--auto-approve',)):
            result = self.ran('rebalance', *options)
            self.assertEqual(3, result.exit_code, result)
            self.assertIn(f'{self.active}: 1\n', result.stdout)
            self.assertIn(f'{self.other}: not known\n', result.stdout)
            self.assertIn('is not proven that', result.stdout)
            self.assertIn(self.other, result.stdout.split('not proven')[1])

    def test_rebalance_of_what_somebody_knows_of(self):
        result = self.ran('rebalance', '--dry-run', '--ignore', 'RHA901')
        self.assertEqual(0, result.exit_code, result)
        self.assertIn(f'{self.other}: not known\n', result.stdout)
        self.assertNotIn('proven', result.stdout)

    def test_evacuate(self):
        """The other one is empty all the same."""
        options = ('--ignore', 'RHA901', '--auto-approve')
        result = self.ran('evacuate', self.active, *options)
        self.assertEqual(0, result.exit_code, result)
        self.assertIn(f'{self.active}: 1 -> 0\n', result.stdout)
        self.assertIn(f'{self.other}: not known\n', result.stdout)


class ExitCodeTest(move.FailoverTest):
    def code(self, *moved, stuck=(), dry_run=False) -> int:
        moves = tuple(m.move for m in moved)
        made = plan.Plan(moves, tuple(stuck), {}, {})
        return output.exit_code(made, moved, dry_run)

    def test_codes(self):
        step = plan.Move('id', 'r', 'net1', 'net2')
        refused = run.Moved(step, None, 'no')
        waiting = run.Moved(step, None, 'interrupted', False)
        stuck = plan.Stuck('id', 'r', 'net1', 'no')
        unseen = plan.Stuck('id', 'r', 'net1', 'no', unknown=True)
        self.assertEqual(0, self.code())
        self.assertEqual(1, self.code(refused))
        self.assertEqual(1, self.code(stuck=[stuck]))
        self.assertEqual(3, self.code(stuck=[unseen]))
        self.assertEqual(3, self.code(waiting))
        self.assertEqual(1, self.code(stuck=[stuck, unseen]))
