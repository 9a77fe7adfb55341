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

"""How a move ends, and what is told of it."""

import threading
from unittest import mock

from osc_ha_router import errors
from osc_ha_router.backends import base as backends
from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import prepare
from tests.unit import lines
from tests.unit.failover import move


class PlanTest(move.MoveTest):
    def test_listens(self):
        plan = self.plan()
        self.assertEqual(self.target, plan.target)
        (requests,) = self.nodes.requests
        self.assertEqual({2.5}, {request.listen for request in requests})

    def test_listens_again_where_advertisements_are_rare(self):
        for host in self.well.names:
            self.nodes.edit(lambda s, at=host: s.with_conf(at, advert_int=4.0))
        plan = self.plan()
        self.assertEqual(4.0, plan.advert_int)
        listened = [requests[0].listen for requests in self.nodes.requests]
        self.assertEqual([2.5, 4.5], listened)

    def test_no_time(self):
        self.assertRaises(
            errors.CloudError,
            self.failover().plan,
            'r1',
            planning.Wish(),
            backends.Deadline.after(0),
        )

    def test_refused(self):
        self.assertRaises(errors.Refused, self.plan, to='net99')


class EndTest(move.MoveTest):
    """Every outcome there is."""

    def test_verified(self):
        for method in move.METHODS:
            with self.subTest(method=method):
                self.renew()
                moved = self.move(method)
                self.assert_outcome('VERIFIED', 0, moved)
                self.assertEqual((), moved.notes)
                self.assertEqual(self.active, moved.source)
                self.assertEqual(self.target, moved.target)
                self.assertEqual(method, moved.method)
                self.assertEqual('OK', moved.report.health.value)
                self.assertEqual([self.target], moved.report.active_hosts)

    def test_ports_that_nobody_watches(self):
        self.nodes.guarded = False
        moved = self.move('promote')
        self.assert_outcome('VERIFIED', 0, moved, 'Open vSwitch')
        self.assertIn(self.target, moved.notes[0])

    def test_moved(self):
        self.nodes.learns = False
        with mock.patch.object(prepare, 'STAY', 0.1):
            moved = self.move(wait=False)
        self.assert_outcome('MOVED', 0, moved, 'Neutron says')

    def test_verified_without_waiting(self):
        self.assert_outcome('VERIFIED', 0, self.move(wait=False))

    def test_lagging(self):
        self.nodes.learns = False
        moved = self.move(seconds=1.2)
        self.assert_outcome('LAGGING', 3, moved, 'Neutron says')
        self.assertIn('wait', [phase for phase, _ in self.told])

    def test_lagging_is_said_once(self):
        """However often it is looked for."""
        self.nodes.learns = False
        with mock.patch.object(prepare, 'STAY', 0.1):
            moved = self.move(seconds=2.5)
        self.assert_outcome('LAGGING', 3, moved, 'Neutron says')
        said = [words for _, words in self.told if 'Neutron says' in words]
        self.assertEqual(1, len(said), said)

    def test_lagging_monitors(self):
        """Their agents are told in their stead."""
        self.nodes.learns, self.nodes.heeds = False, True
        with mock.patch.object(prepare, 'STAY', 0.1):
            moved = self.move()
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertEqual((), moved.notes)
        told = [host for host, op, _ in self.nodes.asked if op == 'report']
        self.assertEqual([self.active, self.target], told)
        (fields,) = self.nodes.fields(self.target, 'report')
        self.assertEqual(10, fields['guard'])

    def test_lagging_monitor_of_the_old_node(self):
        self.nodes.heeds = True
        self.nodes.moved = lambda host: self.nodes.edit(
            lambda s: s.with_agent(self.active, ha_state='active')
        )
        with mock.patch.object(prepare, 'STAY', 0.1):
            moved = self.move()
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertEqual(['report'], self.nodes.ops(self.active)[-2:-1])
        self.assertNotIn('report', self.nodes.ops(self.target))

    def test_lagging_and_an_agent_cannot_be_told(self):
        self.nodes.learns = False
        self.nodes.fault(self.active, 'report', end={'answered': False})
        words = 'there is no socket of an L3 agent here'
        self.nodes.fault(
            self.target,
            'report',
            trouble=lines.refusal(self.target, 'absent', words),
        )
        with mock.patch.object(prepare, 'STAY', 0.1):
            moved = self.move(seconds=5)
        self.assert_outcome(
            'LAGGING', 3, moved, f'agent on {self.active} does not', words
        )

    def test_monitors_are_given_time(self):
        self.move()
        self.assertNotIn('report', self.nodes.ops())

    def test_lagging_until_keepalived_runs_again(self):
        self.nodes.respawns = False
        moved = self.move('handover', seconds=1.2)
        self.assert_outcome(
            'LAGGING', 3, moved, f'keepalived on {self.active}'
        )

    def test_caught_up_while_waited_for(self):
        self.nodes.respawns = False
        looks = []

        def look(*args):
            looks.append(args)
            if len(looks) == 3:
                self.nodes.edit(
                    lambda s: s.with_view(
                        self.active,
                        processes=self.well.shown(self.other).processes,
                    )
                )
            return real(*args)

        plan = self.plan('handover')
        real = self.nodes.probe
        with mock.patch.object(self.nodes, 'probe', look):
            moved = self.carry_out(plan)
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertEqual(3, len(looks))

    def test_unknown(self):
        self.nodes.moved = lambda host: self.nodes.dark.add(self.other)
        moved = self.move(seconds=1.2)
        self.assert_outcome('UNKNOWN', 3, moved, f'{self.other} cannot be')
        self.nodes.dark.clear()

    def test_unknown_as_neutron_is_gone(self):
        def gone(host):
            self.neutron.trouble = errors.CloudError('Neutron is away')

        self.nodes.moved = gone
        for wait in (True, False):
            self.renew()
            self.nodes.moved = gone
            with mock.patch.object(prepare, 'STAY', 0.1):
                moved = self.move(seconds=1.2, wait=wait)
            self.assert_outcome('UNKNOWN', 3, moved, 'Neutron is away')
            self.assertEqual(self.target, moved.target)

    def test_incomplete_as_a_file_stays(self):
        self.nodes.stuck.add(self.target)
        moved = self.move(wait=False)
        self.assert_outcome('INCOMPLETE', 4, moved, 'priority 254')

    def test_incomplete_as_the_old_address_stays(self):
        self.nodes.moved = lambda host: self.nodes.edit(
            lambda s: s.with_vip(self.active).without_keepalived(self.active)
        )
        moved = self.move(wait=False)
        self.assert_outcome('INCOMPLETE', 4, moved, 'still holds')
        self.assertIsNone(moved.outage)

    def test_incomplete_as_another_has_won(self):
        self.nodes.fault(
            self.target,
            'takeover',
            call=lambda: self.nodes.move(self.other),
        )
        self.nodes.willing = False
        moved = self.move('handover', wait=False)
        self.assert_outcome('INCOMPLETE', 4, moved, f'active on {self.other}')

    def test_incomplete_as_nobody_has_won(self):
        self.nodes.willing = False
        moved = self.move('release', wait=False)
        self.assert_outcome(
            'INCOMPLETE', 4, moved, 'active on no node', 'in time'
        )
        self.assertIsNone(moved.target)

    def test_incomplete_as_something_is_worse(self):
        port = self.well.ha_port(self.other).id
        self.nodes.moved = lambda host: self.nodes.edit(
            lambda s: s.with_port(port, status='DOWN')
        )
        self.assert_outcome('INCOMPLETE', 4, self.move(wait=False), 'RHA402')

    def test_incomplete_is_looked_at_again(self):
        self.nodes.stuck.add(self.target)
        moved = self.move(seconds=1.2)
        self.assert_outcome('INCOMPLETE', 4, moved)
        self.assertGreater(len(self.nodes.requests), 2)

    def test_failed(self):
        self.nodes.willing = False
        moved = self.move()
        self.assert_outcome('FAILED', 1, moved, 'still active', 'in time')
        self.assertEqual((None, None), (moved.takeover, moved.outage))
        self.assertEqual(2, len(self.nodes.requests))

    def test_failed_as_the_file_was_rewritten(self):
        self.nodes.willing = False
        end = {'active': False, 'reason': 'changed'}
        self.nodes.fault(self.target, 'takeover', end=end)
        moved = self.move()
        self.assert_outcome('FAILED', 1, moved, 'was rewritten meanwhile')

    def test_failed_as_the_time_was_up(self):
        """The wait is ended in time to end it in good order."""
        self.nodes.willing = False
        moved = self.move(seconds=0.8)
        self.assert_outcome('FAILED', 1, moved, 'when the time was up')
        self.assertIn('finish', self.nodes.ops(self.target))

    def test_time_is_up_after_it_moved(self):
        self.nodes.learns = False
        moved = self.move(seconds=1.2)
        self.assert_outcome('LAGGING', 3, moved)
        self.assertNotIn('did not answer', self.notes(moved))

    def test_winner_nobody_watched(self):
        """VRRP may choose a node that was no candidate."""
        self.nodes.edit(lambda s: s.with_agent(self.target, alive=False))
        plan = self.plan('release', ignore=frozenset(('RHA203',)))
        moved = self.carry_out(plan, wait=False)
        self.assertNotIn('takeover', self.nodes.ops(self.target))
        self.assert_outcome('INCOMPLETE', 4, moved)
        self.nodes.move(self.target)


class FigureTest(move.MoveTest):
    def test_no_gap(self):
        moved = self.move()
        self.assertTrue(0 <= moved.takeover < 1)
        self.assertTrue(0 <= moved.outage < 0.1)

    def test_gap(self):
        self.nodes.willing = False
        timer = threading.Timer(0.5, setattr, (self.nodes, 'willing', True))
        self.nodes.fault(self.active, 'terminate', call=timer.start)
        moved = self.move('release')
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertTrue(0.4 < moved.outage < 1.0, moved.outage)
        self.assertTrue(0.4 < moved.takeover < 1.0, moved.takeover)

    def test_ports_that_were_cut_off(self):
        self.nodes.ports = [
            {'device': 'qg-1', 'seconds': 0.5},
            {'device': 'qr-1', 'seconds': 1.25},
        ]
        moved = self.move()
        self.assertTrue(1.25 <= moved.outage < 1.5)
        self.assertEqual(
            2, len([1 for _, words in self.told if 'cut off' in words])
        )

    def test_not_to_be_seen(self):
        trouble = lines.trouble(self.active)
        self.nodes.moved = lambda host: self.nodes.fault(
            self.active, 'watch', trouble=trouble
        )
        self.nodes.fault(
            self.active, 'watch', skip=1, after='gone', trouble=trouble
        )
        moved = self.move()
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertIsNone(moved.outage)


class WordsTest(move.MoveTest):
    def phases(self) -> list[str]:
        return list(dict.fromkeys(phase for phase, _ in self.told))

    def test_phases(self):
        self.move()
        begin, one, other, end = self.phases()
        self.assertEqual(('act', 'verify'), (begin, end))
        # Neutron and the node, whoever is the first
        self.assertEqual({'wait', 'restore'}, {one, other})
        text = '\n'.join(words for _, words in self.told)
        for words in (
            f'{self.target} is active',
            'Neutron has learned',
            f'{self.target} has back its keepalived.conf',
        ):
            self.assertIn(words, text)

    def test_what_a_predecessor_has_left(self):
        self.nodes.fault(
            self.other, 'begin', end={'undone': ['a rule is gone']}
        )
        self.move()
        self.assertIn(
            ('preflight', f'{self.other}: a rule is gone'), self.told
        )

    def test_file_that_neutron_has_rewritten(self):
        real = lines.Line._restore

        def kept(line):
            for reply in real(line):
                yield reply | {'kept': True}

        with mock.patch.object(lines.Line, '_restore', kept):
            self.move()
        words = f'{self.target} Neutron has rewritten its keepalived.conf'
        self.assertIn(('restore', words), self.told)

    def test_what_finish_undoes(self):
        self.nodes.fault(self.other, 'finish', end={'undone': ['it is back']})
        self.move()
        self.assertIn(('restore', f'{self.other}: it is back'), self.told)

    def test_no_quiet(self):
        end = {'quiet': False, 'reason': 'no ip6tables\x1b[2J'}
        self.nodes.fault(self.active, 'quiet', end=end)
        moved = self.move()
        self.assert_outcome('VERIFIED', 0, moved, 'no ip6tables\\x1b[2J')
        self.assertIn('multicast reports', moved.notes[0])

    def test_no_quiet_and_no_reason(self):
        self.nodes.fault(self.active, 'quiet', end={'quiet': False})
        self.assert_outcome('VERIFIED', 0, self.move(), 'no reason given')

    def test_connections(self):
        for method in move.METHODS:
            self.renew()
            moved = self.move(method)
            self.assertEqual('0 carried over', moved.connections)
