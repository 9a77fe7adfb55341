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

"""Sharing the routers of a large host among processes."""

import io
import json
import os
import uuid

import fixtures
import testtools

from osc_ha_router.node import crew
from osc_ha_router.node import replies as replying
from osc_ha_router.node import view

ROUTERS = [str(uuid.UUID(int=number)) for number in range(40)]


class CrewTest(testtools.TestCase):
    """The processes are real; what they build is made up."""

    def setUp(self):
        super().setUp()
        self.me = os.getpid()
        self.patch(crew, '_SHARE', 10)
        self.patch(os, 'sched_getaffinity', lambda pid: set(range(8)))
        self.patch(view, 'build', self.build)
        self.output = io.BytesIO()

    def patch(self, owner, name, value):
        self.useFixture(fixtures.MockPatchObject(owner, name, value))

    def build(self, look, router_id):
        number = ROUTERS.index(router_id)
        vrid = {'vrid': number} if number else None
        return {
            'router_id': router_id,
            'keepalived_conf': vrid,
            'pid': os.getpid(),
            # more than a pipe holds at once
            'links': 'x' * 100_000,
        }

    def send(self, routers=ROUTERS):
        replies = replying.Replies(self.output, 3)
        vrids = crew.send_views(None, routers, replies)
        lines = map(json.loads, self.output.getvalue().splitlines())
        views = []
        for line in lines:
            self.assertEqual(3, line.pop('id'))
            views.append(line.pop('view'))
            self.assertEqual({}, line)
        return views, vrids

    def nobody_is_left(self):
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)

    def test_everything_once(self):
        before = os.listdir('/proc/self/fd')
        views, vrids = self.send()
        self.assertEqual(ROUTERS, sorted(each['router_id'] for each in views))
        self.assertEqual(
            {each: ROUTERS.index(each) or None for each in ROUTERS}, vrids
        )
        self.assertEqual(4, len({each['pid'] for each in views}))
        self.assertEqual(before, os.listdir('/proc/self/fd'))
        self.nobody_is_left()

    def test_few_routers(self):
        views, _ = self.send(ROUTERS[:19])
        self.assertEqual({self.me}, {each['pid'] for each in views})
        self.assertEqual(([], {}), self.again([]))

    def again(self, routers):
        self.output = io.BytesIO()
        return self.send(routers)

    def test_one_processor(self):
        self.patch(os, 'sched_getaffinity', lambda pid: {5})
        views, _ = self.send()
        self.assertEqual({self.me}, {each['pid'] for each in views})

    def test_no_more_processes(self):
        def fork():
            raise BlockingIOError('no more processes')

        self.patch(os, 'fork', fork)
        before = os.listdir('/proc/self/fd')
        views, vrids = self.send()
        self.assertEqual({self.me}, {each['pid'] for each in views})
        self.assertEqual(40, len(vrids))
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_a_worker_dies(self):
        def dying(look, router_id):
            if os.getpid() != self.me and ROUTERS.index(router_id) > 20:
                os._exit(9)
            return self.build(look, router_id)

        self.patch(view, 'build', dying)
        views, vrids = self.send()
        self.assertEqual(ROUTERS, sorted(each['router_id'] for each in views))
        self.assertEqual(set(ROUTERS), set(vrids))
        self.nobody_is_left()

    def test_a_worker_fails(self):
        def failing(look, router_id):
            if os.getpid() != self.me:
                raise MemoryError
            return self.build(look, router_id)

        self.patch(view, 'build', failing)
        views, _ = self.send()
        self.assertEqual({self.me}, {each['pid'] for each in views})
        self.assertEqual(40, len(views))
        self.nobody_is_left()

    def test_nobody_reads(self):
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, 'wb') as stream, open(os.devnull, 'wb') as null:
            replies = replying.Replies(stream, 3)
            self.assertRaises(
                replying.Gone, crew.send_views, None, ROUTERS, replies
            )
            # what is buffered goes nowhere
            os.dup2(null.fileno(), writer)
        self.nobody_is_left()
