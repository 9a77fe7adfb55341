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
"""Thousands of routers at once: as they come, whatever happens meanwhile."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
import uuid

import testtools

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router.sweep import run
from tests.unit import fakes
from tests.unit import test_engine
from tests.unit.scene import Scene

LATE = 'too late'


class Source(fakes.Source):
    """Says of each router what the next scene has, one by one.

    :param listed: the routers that there are at first; all of the first
        look's by default
    :param slow: ids of routers of which nobody learns in time
    """

    def __init__(self, *looks, listed=None, slow=(), known=None, **options):
        super().__init__(*looks, **options)
        self._listed = listed
        self._slow = slow
        self._known = known
        self.closed = False
        #: of each router, how long it was waited for
        self.waited = {}

    @contextlib.contextmanager
    def flow(self, *, project=None, host=None, tell):
        self.asked.append(((), project, host))
        routers = {router.id: router for router in self._next()}
        if self._listed is not None:
            routers = {id_: routers[id_] for id_ in self._listed}
        self.routers = routers
        self.ids = tuple(routers)
        self.names = {id_: said.name for id_, said in routers.items()}
        self.known = frozenset(routers) if self._known is None else self._known
        self.hosts, self.alive = self._hosts, None
        self.blind = False
        tell(1, 1)
        yield self
        self.closed = True

    def router(self, id_, until):
        self.waited[id_] = until.left()
        if id_ not in self._slow:
            return self.routers[id_]
        time.sleep(min(until.left(), 30))
        return dataclasses.replace(
            self.routers[id_], agents=None, ports=None, gaps=(LATE,)
        )

    def owners(self, ids):
        (look, *_) = self._looks
        there = {scene.router.id: scene.router for scene in look}
        return {id_: there[id_].project_id for id_ in ids if id_ in there}


class SweepTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.broken = self.healthy.without_processes(self.standby, 'monitor')
        self.slept, self.told, self.counted = [], [], []

    def many(self, *scenes):
        """Return these as routers r0, r1, ... of the same nodes."""
        return [
            test_engine.renamed(scene, number)
            for number, scene in enumerate(scenes)
        ]

    def engine(self, *looks, nodes=None, stop=None, **source):
        self.source = Source(*looks, **source)
        self.backend = fakes.Backend(*(nodes or looks))
        return engine.Engine(
            self.source,
            self.backend,
            notify=self.told.append,
            sleep=self.slept.append,
            progress=lambda *told: self.counted.append(told),
            stop=stop,
        )

    def found(self, reports):
        """Name or id of the router -> names of its findings."""
        return {
            r.router.name or r.router.id: {f.name for f in r.findings}
            for r in reports
        }


class StreamTest(SweepTest):
    def test_one_by_one(self):
        """Each as soon as it is known, and none of it is kept."""
        look = self.many(*[self.healthy] * 3)
        work = self.engine(look).sweep(engine.Question())
        reports = work.reports()
        self.assertEqual('r0', next(reports).router.name)
        self.assertEqual(1, len(self.source.waited))
        self.assertFalse(self.source.closed)
        self.assertEqual(['r1', 'r2'], [r.router.name for r in reports])
        self.assertTrue(self.source.closed)
        self.assertEqual((), work.claims.routers)

    def test_without_the_views_that_they_rest_on(self):
        """Those that are kept back, or all if nobody needs them."""
        look = self.many(self.healthy, self.broken)
        first, kept = (
            self.engine(look).sweep(engine.Question(recheck=0.1)).reports()
        )
        (lean, _) = (
            self.engine(look).check(engine.Question(), lean=True).reports
        )
        (whole, _) = self.engine(look).check(engine.Question()).reports
        self.assertEqual({None}, {r.view for r in lean.replicas})
        for found in (first, kept, whole):
            self.assertNotIn(None, [r.view for r in found.replicas])
        for found in (first, lean):
            self.assertEqual(
                [(r.host, r.observed) for r in whole.replicas],
                [(r.host, r.observed) for r in found.replicas],
            )

    def test_kept_back_without_views_while_it_waits(self):
        stop = interruption.Interruption()

        def sleep(seconds):
            os.kill(os.getpid(), signal.SIGINT)
            # another thread may be the one that is told
            while not stop.wanted:
                time.sleep(0.001)

        machine = engine.Engine(
            Source(self.many(self.broken)),
            fakes.Backend(self.many(self.broken)),
            sleep=sleep,
            stop=stop,
        )
        with stop:
            (found,) = machine.sweep(engine.Question()).reports()
        self.assertEqual({None}, {r.view for r in found.replicas})

    def test_what_may_settle_comes_last(self):
        look = self.many(self.healthy, self.broken, self.healthy)
        work = self.engine(look).sweep(engine.Question())
        self.assertEqual(
            ['r0', 'r2', 'r1'], [r.router.name for r in work.reports()]
        )

    def test_in_order_where_all_of_it_is_waited_for(self):
        look = self.many(self.healthy, self.broken, self.healthy)
        answer = self.engine(look).check(engine.Question())
        self.assertEqual(
            ['r0', 'r1', 'r2'], [r.router.name for r in answer.reports]
        )
        self.assertEqual(
            [r.router for r in answer.reports],
            list(answer.look.claims.routers),
        )

    def test_one_request_for_each_host(self):
        look = self.many(*[self.healthy] * 5)
        list(self.engine(look).sweep(engine.Question()).reports())
        (requests,) = self.backend.requests
        self.assertEqual(
            {name: None for name in self.healthy.names},
            {request.host: request.routers for request in requests},
        )

    def test_only_the_routers_of_a_project(self):
        look = self.many(self.healthy, self.healthy)
        question = engine.Question(project='p')
        list(self.engine(look).sweep(question).reports())
        (requests,) = self.backend.requests
        ids = tuple(sorted(scene.router.id for scene in look))
        self.assertEqual({ids}, {request.routers for request in requests})

    def test_those_first_that_may_take_long_in_vain(self):
        look = self.many(self.healthy)
        machine = self.engine(look)
        work = machine.sweep(engine.Question())
        last = self.healthy.names[-1]
        with self.source.flow(tell=lambda *told: None):
            pass
        self.source._looks = [look]

        @contextlib.contextmanager
        def flow(**options):
            with Source.flow(self.source, **options) as found:
                found.alive = tuple(self.healthy.names[:-1])
                yield found

        self.source.flow = flow
        list(work.reports())
        (requests,) = self.backend.requests
        self.assertEqual(
            [last, *self.healthy.names[:-1]], [r.host for r in requests]
        )

    def test_told_how_far_it_is(self):
        list(
            self.engine(self.many(self.healthy))
            .sweep(engine.Question())
            .reports()
        )
        self.assertIn((run.CALLS, 1, 1), self.counted)
        self.assertEqual(
            [(run.NODES, n, 3) for n in (1, 2, 3)],
            [told for told in self.counted if told[0] == run.NODES],
        )

    def test_told_how_far_the_second_look_is(self):
        """By itself, as the first one has been counted to the end."""
        list(
            self.engine(self.many(self.broken))
            .sweep(engine.Question())
            .reports()
        )
        for what in (run.NODES, run.AGAIN):
            self.assertEqual(
                [(what, n, 3) for n in (1, 2, 3)],
                [told for told in self.counted if told[0] == what],
            )


class WhereTest(SweepTest):
    """Neutron does not list the agents, but says of each router."""

    def engine(self, *looks, **source):
        machine = super().engine(*looks, **source)
        flow = self.source.flow

        @contextlib.contextmanager
        def without_hosts(**options):
            with flow(**options) as found:
                found.hosts = found.known = None
                yield found

        self.source.flow = without_hosts
        return machine

    def test_hosts_that_routers_name(self):
        look = self.many(self.healthy, self.broken)
        machine = self.engine(look)
        self.assertEqual(
            {'r0': set(), 'r1': {'monitor-dead'}},
            self.found(machine.sweep(engine.Question()).reports()),
        )
        first, _ = self.backend.requests
        self.assertEqual(
            {name: None for name in self.healthy.names},
            {request.host: request.routers for request in first},
        )

    def test_time_is_up_while_they_are_asked_for(self):
        """What was told by then is looked at all the same."""
        look = self.many(self.healthy, self.healthy)
        machine = self.engine(look, slow=[look[1].router.id])
        found = self.found(
            machine.sweep(engine.Question(timeout=0.3)).reports()
        )
        self.assertEqual(set(), found['r0'])
        self.assertIn('claim-unknown', found['r1'])

    def test_neither_routers_nor_hosts(self):
        machine = self.engine(self.many(self.healthy), listed=[])
        self.assertEqual([], list(machine.sweep(engine.Question()).reports()))


class MeanwhileTest(SweepTest):
    """The cloud goes on while it is looked at."""

    def test_created(self):
        """Nodes have something of a router that was not listed."""
        look = self.many(self.healthy, self.healthy)
        machine = self.engine(look, look, listed=[look[0].router.id])
        self.assertEqual(
            {'r0': set(), 'r1': set()},
            self.found(machine.sweep(engine.Question()).reports()),
        )
        self.assertEqual([], self.slept)

    def test_created_and_not_ready_at_the_first_look(self):
        first = self.many(self.healthy, self.broken)
        later = self.many(self.healthy, self.healthy)
        machine = self.engine(
            first,
            first,
            later,
            nodes=[first, later],
            listed=[first[0].router.id],
        )
        self.assertEqual(
            {'r0': set(), 'r1': {'changed-meanwhile'}},
            self.found(machine.sweep(engine.Question()).reports()),
        )

    def test_legacy_routers_are_known(self):
        """They have namespaces as well, and are none of ours."""
        look = self.many(self.healthy, self.healthy)
        ids = [scene.router.id for scene in look]
        machine = self.engine(look, listed=ids[:1], known=frozenset(ids))
        self.assertEqual(
            {'r0': set()},
            self.found(machine.sweep(engine.Question()).reports()),
        )
        self.assertEqual([], self.source.asked_again)

    def test_deleted_after_it_was_listed(self):
        """Its nodes clean up while they are looked at."""
        gone = self.healthy.without_namespace(self.standby)
        first = self.many(self.healthy, gone)
        machine = self.engine(first, first[:1])
        self.assertEqual(
            {'r0': set()},
            self.found(machine.sweep(engine.Question()).reports()),
        )

    def test_deleted_before_its_agents_were_asked_for(self):
        look = self.many(self.healthy, self.healthy)
        machine = self.engine(look)
        id_ = look[1].router.id
        answer = self.source.router
        self.source.router = lambda i, until: (
            None if i == id_ else answer(i, until)
        )
        self.assertEqual(
            {'r0': set()},
            self.found(machine.sweep(engine.Question()).reports()),
        )

    def test_moved_to_another_agent(self):
        """What Neutron said first is not what nodes show later."""
        moved = self.healthy.without_agents(self.standby)
        first = self.many(moved)
        machine = self.engine(first, self.many(self.healthy))
        ((name, findings),) = self.found(
            machine.sweep(engine.Question()).reports()
        ).items()
        self.assertEqual({'changed-meanwhile'}, findings)

    def test_moved_to_an_agent_that_is_new(self):
        """Its host was not looked at, so another look has to be taken."""
        look = self.many(self.healthy)
        machine = self.engine(look, hosts=tuple(self.healthy.names[:-1]))
        ((_, findings),) = self.found(
            machine.sweep(engine.Question()).reports()
        ).items()
        self.assertEqual({'changed-meanwhile'}, findings)
        self.assertEqual(
            set(self.healthy.names),
            {request.host for request in self.backend.requests[1]},
        )

    def test_leftover_far_from_the_router_is_looked_at_again(self):
        """In a large cloud not all hosts are, but that one is."""
        crowd = tuple(f'other{number}' for number in range(50))
        left = self.healthy.without_agents(self.standby)
        look = self.many(left)
        machine = self.engine(look, hosts=(*self.healthy.names, *crowd))
        ((_, findings),) = self.found(
            machine.sweep(engine.Question()).reports()
        ).items()
        self.assertIn('leftover-replica', findings)
        self.assertEqual(
            set(self.healthy.names),
            {request.host for request in self.backend.requests[1]},
        )


class DeletedTest(SweepTest):
    """What nodes have of routers that Neutron has no more."""

    def sweep(self, nodes, *later, **question):
        here = nodes[:1]
        machine = self.engine(
            here,
            here,
            nodes=[nodes, *(later or [nodes])],
            listed=[here[0].router.id],
        )
        self.work = machine.sweep(engine.Question(**question), keep=True)
        return list(self.work.reports())

    def test_left_behind(self):
        reports = self.sweep(self.many(self.healthy, self.healthy))
        (gone,) = (r for r in reports if r.router.deleted)
        self.assertEqual(str(uuid.UUID(int=1)), gone.router.id)
        self.assertEqual(
            {
                ('leftover-active', self.active),
                ('leftover-replica', self.standby),
                ('leftover-replica', self.other),
            },
            {(f.name, f.host) for f in gone.findings},
        )
        self.assertEqual('ERROR', gone.health)
        self.assertEqual([10.0], self.slept)
        self.assertIn(gone.router, self.work.claims.routers)

    def test_cleaned_up_in_between(self):
        nodes = self.many(self.healthy, self.healthy)
        reports = self.sweep(nodes, nodes[:1])
        self.assertEqual(['r0'], [r.router.name for r in reports])
        self.assertEqual(1, len(self.work.claims.routers))

    def test_without_a_second_look(self):
        reports = self.sweep(
            self.many(self.healthy, self.healthy), recheck=0.0
        )
        self.assertEqual([False, True], [r.router.deleted for r in reports])

    def test_no_more_than_a_folder(self):
        """keepalived.conf outlives its router and does no harm."""
        nodes = self.many(self.healthy, self.healthy)
        bare = nodes[1]
        for host in self.healthy.names:
            bare = bare.with_view(host, namespace=None, processes=())
        reports = self.sweep([nodes[0], bare])
        self.assertEqual(['r0'], [r.router.name for r in reports])
        self.assertEqual(1, len(self.work.claims.routers))

    def test_neutron_does_not_say(self):
        """Not known is not gone, and none of them is left out."""
        nodes = self.many(self.healthy, self.healthy, self.healthy)
        for call in ('owners', 'again'):
            machine = self.engine(
                nodes, nodes=[nodes], listed=[nodes[0].router.id]
            )

            def broken(ids):
                raise errors.CloudError('broken')

            setattr(self.source, call, broken)
            work = machine.sweep(engine.Question(), keep=True)
            fine, *unknown = work.reports()
            self.assertEqual(('r0', 'OK'), (fine.router.name, fine.health))
            self.assertEqual(
                [scene.router.id for scene in nodes[1:]],
                [r.router.id for r in unknown],
            )
            for found in unknown:
                self.assertEqual('UNKNOWN', found.health)
                self.assertEqual(
                    ['claim-unknown'], [f.name for f in found.findings]
                )
                self.assertIn(
                    'whether there is such a router: broken',
                    found.findings[0].summary,
                )
                # what the nodes show is evidence all the same
                self.assertEqual([self.active], found.active_hosts)
                self.assertIn(found.router, work.claims.routers)

    def test_known_at_the_second_look(self):
        nodes = self.many(self.healthy, self.broken)
        # with nothing known of it, nothing is missing; but this is too much
        twice = self.many(self.healthy, self.healthy.with_role(self.standby))
        machine = self.engine(
            nodes, nodes=[twice, nodes], listed=[nodes[0].router.id]
        )

        def broken(ids):
            raise errors.CloudError('broken')

        self.source.owners = broken
        _, later = machine.sweep(engine.Question()).reports()
        self.assertEqual('r1', later.router.name)
        self.assertEqual(
            {'monitor-dead', 'changed-meanwhile'},
            {f.name for f in later.findings},
        )


class TroubleTest(SweepTest):
    def test_one_dead_host(self):
        """The others' results are complete, its own replicas unknown."""
        look = self.many(
            self.healthy.with_unreachable(self.other),
            self.broken.with_unreachable(self.other),
        )
        reports = list(self.engine(look).sweep(engine.Question()).reports())
        self.assertEqual(
            {
                'r0': {'node-unreachable'},
                'r1': {'node-unreachable', 'monitor-dead'},
            },
            self.found(reports),
        )
        for report in reports:
            states = {r.host: r.observed.value for r in report.replicas}
            self.assertEqual(
                {
                    self.active: 'active',
                    self.standby: 'standby',
                    self.other: 'unknown',
                },
                states,
            )

    def test_no_second_look_to_be_had(self):
        """What is known by then is reported, and why there is no more."""
        machine = self.engine(self.many(self.healthy, self.broken))

        def again(ids):
            raise errors.CloudError('broken')

        self.source.again = again
        reports = list(machine.sweep(engine.Question()).reports())
        self.assertEqual(
            {'r0': set(), 'r1': {'monitor-dead'}}, self.found(reports)
        )
        self.assertIn('There was no second look: broken', self.told)

    def test_time_is_up_while_neutron_is_asked(self):
        look = self.many(self.healthy, self.healthy, self.healthy)
        machine = self.engine(look, slow=[look[1].router.id])
        began = time.monotonic()
        work = machine.sweep(engine.Question(timeout=0.5))
        found = self.found(work.reports())
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(set(), found['r0'])
        self.assertIn('claim-unknown', found['r1'])
        self.assertEqual(set(), found['r2'])
        self.assertFalse(work.interrupted)

    def test_neutron_hangs(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        machine = self.engine(self.many(self.healthy))

        @contextlib.contextmanager
        def flow(**options):
            hold.wait(30)
            yield

        self.source.flow = flow
        work = machine.sweep(engine.Question(timeout=0.3))
        began = time.monotonic()
        exc = self.assertRaises(errors.CloudUnreachable, list, work.reports())
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn('did not answer in time', str(exc))


class InterruptedTest(SweepTest):
    """Ctrl-C, at each place where it may come."""

    def setUp(self):
        super().setUp()
        # whoever runs this in the background has it ignored
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def ctrl_c(self):
        os.kill(os.getpid(), signal.SIGINT)

    def later(self, seconds=0.3):
        timer = threading.Timer(seconds, self.ctrl_c)
        timer.start()
        self.addCleanup(timer.join)

    def run_(self, machine, stop, **question):
        """Return findings by router, within a second of the end."""
        with stop:
            self.work = machine.sweep(engine.Question(**question))
            began = time.monotonic()
            found = self.found(self.work.reports())
        self.assertLess(time.monotonic() - began, 1.3)
        return found

    def test_while_neutron_lists(self):
        stop = interruption.Interruption()
        hold = threading.Event()
        self.addCleanup(hold.set)
        machine = self.engine(self.many(self.healthy), stop=stop)

        @contextlib.contextmanager
        def flow(**options):
            hold.wait(30)
            yield

        self.source.flow = flow
        self.later()
        self.assertRaises(errors.Interrupted, self.run_, machine, stop)

    def test_while_neutron_is_asked_for_each(self):
        stop = interruption.Interruption()
        look = self.many(*[self.healthy] * 3)
        machine = self.engine(look, slow=[look[1].router.id], stop=stop)
        self.later()
        found = self.run_(machine, stop)
        self.assertTrue(self.work.interrupted)
        self.assertEqual(set(), found['r0'])
        self.assertIn('claim-unknown', found['r1'])
        self.assertEqual(set(), found['r2'])

    def test_while_nodes_are_looked_at(self):
        stop = interruption.Interruption()
        look = self.many(self.healthy, self.broken)
        machine = self.engine(look, stop=stop)
        answer = self.backend.probe
        ended = []

        def probe(requests, deadline):
            views = answer(requests, deadline)
            try:
                # the last one that is asked for comes first
                yield next(views)
                time.sleep(30)
            finally:
                ended.append(True)

        self.backend.probe = probe
        self.later()
        found = self.run_(machine, stop)
        self.assertEqual([True], ended)
        self.assertTrue(self.work.interrupted)
        for findings in found.values():
            self.assertIn('node-unreachable', findings)
        self.assertEqual([], self.slept)
        self.assertEqual(
            {None, 'interrupted'},
            {h.failure and h.failure.kind for h in self.work.hosts},
        )

    def test_while_waiting_for_the_second_look(self):
        """The first look counts then, and it is the whole."""
        stop = interruption.Interruption()
        look = self.many(self.healthy, self.broken)
        machine = engine.Engine(
            Source(look), fakes.Backend(look), sleep=time.sleep, stop=stop
        )
        self.later()
        found = self.run_(machine, stop)
        self.assertTrue(self.work.interrupted)
        self.assertEqual({'r0': set(), 'r1': {'monitor-dead'}}, found)

    def second_look(self, scenes, question=None):
        """Press Ctrl-C while nodes are looked at for the second time."""
        stop = interruption.Interruption()
        machine = self.engine(scenes, stop=stop)
        answer, looks = self.backend.probe, []

        def probe(requests, deadline):
            looks.append(requests)
            if len(looks) > 1:
                self.later()
                yield next(answer(requests, deadline))
                time.sleep(30)
            yield from answer(requests, deadline)

        self.backend.probe = probe
        with stop:
            began = time.monotonic()
            answered = machine.check(question or engine.Question())
        self.assertLess(time.monotonic() - began, 1.3)
        self.assertEqual(2, len(looks))
        return answered

    def test_while_nodes_are_looked_at_again(self):
        """The first look counts, in what is saved as well."""
        error = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        ).without_processes(self.standby, 'monitor')
        scenes = self.many(self.healthy, error)
        answered = self.second_look(scenes)
        found = self.found(answered.reports)
        self.assertEqual({'floating-ip-missing', 'monitor-dead'}, found['r1'])
        self.assertEqual([None] * 3, [h.failure for h in answered.look.hosts])
        again = engine.verdict.judge(
            answered.reports[1].router, answered.look.hosts
        )
        self.assertEqual(answered.reports[1].findings, again.findings)
        # what was not seen to the end is no news
        self.assertNotIn('saw less', ' '.join(self.told))

    def test_while_strangers_are_asked_for(self):
        """They are unknown, and not left out."""
        stop = interruption.Interruption()
        look = self.many(self.healthy, self.healthy)
        machine = self.engine(look, stop=stop, listed=[look[0].router.id])
        hold = threading.Event()
        self.addCleanup(hold.set)
        self.source.owners = lambda ids: hold.wait(30)
        self.later()
        found = self.run_(machine, stop)
        self.assertEqual(
            {'r0': set(), look[1].router.id: {'claim-unknown'}}, found
        )

    def test_while_a_report_is_read(self):
        """Nothing is lost, and what has not been waited for is not."""
        stop = interruption.Interruption()
        look = self.many(*[self.healthy] * 3)
        machine = self.engine(look, stop=stop, slow=[look[2].router.id])
        with stop:
            reports = machine.sweep(engine.Question()).reports()
            next(reports)
            self.ctrl_c()
            found = self.found(reports)
        self.assertEqual(set(), found['r1'])
        self.assertIn('claim-unknown', found['r2'])

    def test_verdicts_on_thousands_take_too_long(self):
        stop = interruption.Interruption()
        look = self.many(*[self.healthy] * 5)

        def judge(router, hosts, ignore):
            time.sleep(0.3)
            return scene_judge(router, hosts, ignore)

        scene_judge = engine.verdict.judge
        machine = engine.Engine(
            Source(look), fakes.Backend(look), judge=judge, stop=stop
        )
        with stop:
            work = machine.sweep(engine.Question())
            reports = work.reports()
            next(reports)
            self.ctrl_c()
            began = time.monotonic()
            found = self.found(reports)
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual({'not-looked-at'}, found['r4'])
        self.assertEqual(4, len(found))
        self.assertTrue(work.unjudged)

    def test_twice(self):
        stop = interruption.Interruption()
        with stop:
            self.ctrl_c()
            self.assertTrue(stop.wanted)
            self.assertRaises(KeyboardInterrupt, self.ctrl_c)

    def test_nobody_asked_for_it(self):
        """Without one of these it ends the program, as always."""
        look = self.many(self.healthy)
        machine = self.engine(look, slow=[look[0].router.id])
        self.later()
        self.assertRaises(
            KeyboardInterrupt,
            list,
            machine.sweep(engine.Question()).reports(),
        )

    def test_as_it_was_afterwards(self):
        before = signal.getsignal(signal.SIGINT)
        with interruption.Interruption():
            self.assertNotEqual(before, signal.getsignal(signal.SIGINT))
        self.assertEqual(before, signal.getsignal(signal.SIGINT))

    def test_ignored_stays_ignored(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop = interruption.Interruption()
        with stop:
            self.ctrl_c()
            self.assertEqual(signal.SIG_IGN, signal.getsignal(signal.SIGINT))
        self.assertFalse(stop.wanted)

    def test_in_another_thread(self):
        """Signals are the main thread's matter, and nothing fails."""
        seen = []

        def work():
            with interruption.Interruption() as stop:
                with stop.waiting():
                    seen.append(stop.wanted)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual([False], seen)
