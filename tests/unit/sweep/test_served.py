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

"""Which reports of a service are taken, and what becomes of the others."""

import dataclasses
import os
import signal
import threading
import time

import testtools

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit import fakes
from tests.unit import test_engine
from tests.unit.scene import Scene

FAILURE = view.Failure('agent-busy', 'It has too much to do', 'Wait.')


class Service:
    """Has a report on each of these routers."""

    def __init__(self, *scenes: Scene) -> None:
        self._scenes = scenes
        self.questions: list[engine.Question] = []
        self.left: list[float] = []
        self.failure: view.Failure | None = None

    def check(self, question, deadline, stop):
        self.questions.append(question)
        self.left.append(deadline.left())
        if self.failure is not None:
            raise base.Trouble(self.failure, None)
        return tuple(
            scene.judge()
            for scene in self._scenes
            if not question.names or scene.router.id in question.names
        )


class Down:
    """A Neutron that does not answer."""

    def claims(self, names, *, project=None, host=None):
        raise errors.CloudUnreachable('Nobody is there')


class ServedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        standby, _ = self.healthy.standbys
        # what the service says differs from what is seen otherwise
        self.broken = self.healthy.without_processes(standby, 'monitor')
        self.blind = self.healthy.with_router(agents=None, gaps=('agents',))
        self.service = Service(self.broken)

    def check(self, *scenes, hosts=('net1',), **question):
        # a source without routers has no hosts to name either
        source = fakes.Source(list(scenes), hosts=hosts)
        self.backend = fakes.Backend(list(scenes))
        machine = engine.Engine(
            source,
            self.backend,
            service=self.service,
            sleep=lambda seconds: None,
        )
        return machine.check(
            engine.Question(**{'recheck': 0, **question})
        ).reports

    def names(self, *reports):
        return [{f.name for f in item.findings} for item in reports]

    def test_not_asked_without_need(self):
        (found,) = self.check(self.healthy, names=('r1',))
        self.assertEqual('OK', found.health)
        self.assertEqual([], self.service.questions)

    def test_instead_of_a_gap(self):
        (found,) = self.check(
            self.blind, names=('r1',), project=None, timeout=30.0, listen=2.0
        )
        self.assertEqual([{'monitor-dead'}], self.names(found))
        (asked,) = self.service.questions
        self.assertEqual((self.healthy.router.id,), asked.names)
        self.assertEqual(2.0, asked.listen)
        self.assertTrue(29 < self.service.left[0] <= 30)

    def test_only_what_neutron_does_not_tell(self):
        other = test_engine.renamed(self.healthy, 2)
        found = self.check(other, self.blind, names=(other.router.name, 'r1'))
        self.assertEqual(
            {
                other.router.id: 'OK',
                self.healthy.router.id: 'WARNING',
            },
            {item.router.id: item.health for item in found},
        )
        self.assertEqual(
            (self.healthy.router.id,), self.service.questions[0].names
        )

    def test_no_report_twice(self):
        """Asked for all, it has one on what was seen from here as well."""
        other = test_engine.renamed(self.healthy, 2)
        self.service = Service(self.broken, other)
        found = self.check(other, self.blind)
        self.assertEqual(
            sorted((other.router.id, self.healthy.router.id)),
            sorted(item.router.id for item in found),
        )
        self.assertEqual((), self.service.questions[0].names)

    def test_router_that_it_does_not_report_on(self):
        self.service = Service()
        (found,) = self.check(self.blind)
        self.assertEqual([{'claim-unknown'}], self.names(found))

    def test_project(self):
        """The name of a project is known to Neutron, not to the service."""
        other = test_engine.renamed(self.healthy, 2).with_router(
            project_id='other'
        )
        self.service = Service(self.broken, other)
        found = self.check(self.blind, project='ours')
        self.assertEqual(
            [self.healthy.router.id], [item.router.id for item in found]
        )
        (asked,) = self.service.questions
        self.assertEqual((None, None), (asked.project, asked.host))

    def test_trouble(self):
        self.service.failure = FAILURE
        other = test_engine.renamed(self.healthy, 2)
        found = self.check(other, self.blind)
        names = dict(
            zip(
                (item.router.id for item in found),
                self.names(*found),
                strict=True,
            )
        )
        self.assertEqual(set(), names[other.router.id])
        self.assertIn('service-unavailable', names[self.healthy.router.id])

    def test_nothing_from_neutron(self):
        """Not one router, and no host: the service may know better."""
        source = fakes.Source([self.healthy])
        source.claims = lambda *args, **kwargs: claim.Claims((), None)
        machine = engine.Engine(
            source, fakes.Backend([self.healthy]), service=self.service
        )
        (found,) = machine.check(engine.Question()).reports
        self.assertEqual('WARNING', found.health)
        # and if it is not there, nobody misses it
        self.service.failure = FAILURE
        self.assertEqual((), machine.check(engine.Question()).reports)
        # an administrator of a cloud without HA routers sees the hosts
        source.claims = lambda *a, **k: claim.Claims((), ('net1',))
        self.service.failure = None
        self.assertEqual((), machine.check(engine.Question()).reports)


class Silent:
    """Takes its time, until nobody waits for it any more."""

    def __init__(self):
        self.ended = threading.Event()

    def check(self, question, deadline, stop):
        stop.wait(30)
        self.ended.set()
        raise base.Trouble(FAILURE, None)


class SilentTest(testtools.TestCase):
    """Somebody has had enough of waiting for a service."""

    def setUp(self):
        super().setUp()
        # whoever runs this in the background has it ignored
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.scene = Scene.of('healthy').with_router(
            agents=None, gaps=('agents',)
        )
        self.service = Silent()

    def work(self, source, stop=None, **question):
        machine = engine.Engine(
            source,
            fakes.Backend([self.scene]),
            service=self.service,
            stop=stop,
        )
        return machine.sweep(engine.Question(recheck=0, **question))

    def interrupted(self, source, **question):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        with interruption.Interruption() as stop:
            work = self.work(source, stop, **question)
            timer.start()
            began = time.monotonic()
            try:
                return list(work.reports())
            finally:
                self.assertLess(time.monotonic() - began, 1.3)
                # nothing goes on for nobody
                self.assertTrue(self.service.ended.wait(5))

    def test_interrupted(self):
        source = fakes.Source([self.scene])
        (found,) = self.interrupted(source, names=('r1',))
        self.assertEqual('UNKNOWN', found.health)
        (finding,) = (
            f for f in found.findings if f.name == 'service-unavailable'
        )
        self.assertIn('this was interrupted', finding.summary)

    def test_late(self):
        work = self.work(
            fakes.Source([self.scene]), names=('r1',), timeout=0.3
        )
        (found,) = work.reports()
        (finding,) = (
            f for f in found.findings if f.name == 'service-unavailable'
        )
        self.assertIn('in the time that there was', finding.summary)
        self.assertTrue(self.service.ended.wait(5))

    def test_in_the_place_of_neutron(self):
        names = (self.scene.router.id,)
        exc = self.assertRaises(
            errors.Interrupted, self.interrupted, Down(), names=names
        )
        self.assertIn('Interrupted', str(exc))
        work = self.work(Down(), names=names, timeout=0.3)
        exc = self.assertRaises(errors.CloudUnreachable, list, work.reports())
        self.assertIn('Nobody is there', str(exc))
        self.assertIn('longer --timeout', str(exc))


class DownTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.router_id = self.healthy.router.id
        self.service = Service(self.healthy)

    def check(self, service=None, **question):
        machine = engine.Engine(
            Down(), fakes.Backend([self.healthy]), service=service
        )
        return machine.check(engine.Question(**question)).reports

    def refused(self, *words, service=None, **question):
        exc = self.assertRaises(
            errors.CloudUnreachable, self.check, service, **question
        )
        self.assertIn('Nobody is there', str(exc))
        for word in words:
            self.assertIn(word, str(exc))

    def test_ids(self):
        (found,) = self.check(self.service, names=(self.router_id,))
        self.assertEqual(self.router_id, found.router.id)

    def test_no_service(self):
        self.refused(names=(self.router_id,))

    def test_names(self):
        for question in (
            {'names': ('r1',)},
            {'names': (self.router_id, 'r1')},
            {'names': (self.router_id,), 'project': 'p'},
            {'names': (self.router_id,), 'host': 'h'},
        ):
            self.refused('by ID', service=self.service, **question)
        self.assertEqual([], self.service.questions)

    def test_all(self):
        self.refused(service=self.service)
        self.assertEqual([], self.service.questions)

    def test_trouble(self):
        self.service.failure = dataclasses.replace(FAILURE)
        self.refused(
            'too much to do. Wait.',
            service=self.service,
            names=(self.router_id,),
        )
