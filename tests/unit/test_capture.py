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

"""A saved look: written whole, read with care, named by word."""

import contextlib
import dataclasses
import json
import os
import pathlib
import stat
import tempfile

import fixtures
import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import capture
from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router import packing
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit import strategies as model
from tests.unit.test_codec import json_values


class CaptureTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = str(self.folder / 'capture.json')

    def refused(self, call, *args):
        exc = self.assertRaises(errors.CaptureError, call, *args)
        message = str(exc)
        self.assertTrue(message.isprintable(), message)
        return message


class SaveTest(CaptureTest):
    def test_comes_back_the_same(self):
        healthy = captures.load('healthy')
        capture.save(healthy, self.path)
        self.assertEqual(healthy, capture.load(self.path))

    @hypothesis.given(
        strategies.builds(
            capture.Capture,
            claims=model.of(claim.Claims),
            hosts=model.looks,
            taken_at=model.odd,
            note=model.odd,
        )
    )
    @hypothesis.settings(max_examples=30)
    def test_whatever_it_holds(self, look):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'c')
            capture.save(look, path)
            self.assertEqual(look, capture.load(path))

    def test_many_routers(self):
        """As they are kept in little memory, and one at a time."""
        healthy = captures.load('healthy')
        packers = {shown.host: packing.Packer() for shown in healthy.hosts}
        for shown in healthy.hosts:
            (one,) = shown.views
            for number in range(100):
                packers[shown.host].add(
                    dataclasses.replace(one, router_id=f'r{number}')
                )
        look = dataclasses.replace(
            healthy,
            hosts=tuple(
                dataclasses.replace(h, views=packers[h.host].views())
                for h in healthy.hosts
            ),
        )
        sizes = [len(piece) for piece in capture._pieces(look)]
        capture.save(look, self.path)
        self.assertEqual(os.path.getsize(self.path), sum(sizes))
        self.assertLess(max(sizes), sum(sizes) / 100)
        self.assertEqual(look, capture.load(self.path))

    def test_whatever_is_spoilt_is_not_copied(self):
        data = captures.raw('healthy')
        (one,) = data['hosts'][0]['views']
        data['hosts'][0]['views'] = [
            one | {'router_id': f'{number:036}'} for number in range(100)
        ]
        data['hosts'][0]['views'][70]['links'] = 'none'
        path = self.folder / 'spoilt.json'
        path.write_text(json.dumps(data))
        look = capture.load(str(path))
        self.assertRaises(codec.DecodeError, capture.save, look, self.path)
        self.assertEqual(['spoilt.json'], os.listdir(self.folder))

    def test_place(self):
        """What would come to nothing is known before there is anything."""
        capture.place(self.path)
        capture.place('x.json')
        pathlib.Path(self.path).write_text('old')
        capture.place(self.path)
        self.assertEqual(['capture.json'], os.listdir(self.folder))
        for path, word in (
            (str(self.folder), 'not a file'),
            ('/dev/null', 'not a file'),
            (f'{self.path}/x', 'no such folder'),
            (str(self.folder / 'none\x1b' / 'x'), 'no such folder'),
        ):
            message = self.refused(capture.place, path)
            self.assertIn('cannot be written', message)
            self.assertIn(word, message)

    def test_place_without_rights(self):
        """Whoever is root here has all of them."""
        pathlib.Path(self.path).touch()
        for denied, word in (
            (str(self.folder), 'in that folder'),
            (self.path, 'a file that you cannot write'),
        ):
            with fixtures.MockPatch(
                'osc_ha_router.capture.os.access',
                lambda path, mode, denied=denied: path != denied,
            ):
                self.assertIn(word, self.refused(capture.place, self.path))

    def test_says_what_it_is(self):
        capture.save(captures.load('healthy'), self.path)
        data = json.loads(pathlib.Path(self.path).read_text())
        self.assertEqual('osc-ha-router capture', data['format'])
        self.assertEqual(1, data['version'])

    def test_is_for_the_owner_only(self):
        capture.save(captures.load('healthy'), self.path)
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.path).st_mode))

    def test_replaces_what_was_there(self):
        pathlib.Path(self.path).write_text('old')
        capture.save(captures.load('healthy'), self.path)
        capture.load(self.path)
        self.assertEqual(['capture.json'], os.listdir(self.folder))

    def test_leaves_nothing_behind_when_it_fails(self):
        # a folder cannot be replaced by a file
        os.mkdir(self.path)
        message = self.refused(
            capture.save, captures.load('healthy'), self.path
        )
        self.assertIn('cannot be written', message)
        self.assertEqual(['capture.json'], os.listdir(self.folder))

    def test_no_such_folder(self):
        path = str(self.folder / 'none\x1b' / 'capture.json')
        self.refused(capture.save, captures.load('healthy'), path)

    def test_into_the_current_folder(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        capture.save(captures.load('healthy'), 'c.json')
        self.assertEqual(['c.json'], os.listdir(self.folder))


class LoadTest(CaptureTest):
    def load(self, content):
        pathlib.Path(self.path).write_bytes(content)
        return capture.load(self.path)

    def spoilt(self, **changes):
        return json.dumps(captures.raw('healthy') | changes).encode()

    def test_missing_file(self):
        message = self.refused(capture.load, self.path + '\x1b')
        self.assertIn('No such file', message)

    def test_folder(self):
        self.assertIn(
            'Is a directory', self.refused(capture.load, str(self.folder))
        )

    def test_garbled(self):
        for content in (
            b'',
            b'\x00',
            b'\xff\xfe',
            b'{',
            b'[]',
            b'null',
            b'"capture"',
            b'{}',
            b'[' * 100000,
            b'{"a":' * 100000,
            self.spoilt()[:-20],
        ):
            message = self.refused(self.load, content)
            self.assertIn('is not a capture', message)

    def test_another_format(self):
        message = self.refused(self.load, self.spoilt(format='x'))
        self.assertIn("'osc-ha-router capture'", message)

    def test_another_version(self):
        message = self.refused(self.load, self.spoilt(version=2))
        self.assertIn('has version 2', message)
        self.assertIn('reads 1', message)

    def test_wrong_shape_names_the_place(self):
        message = self.refused(self.load, self.spoilt(hosts=[{'host': 1}]))
        self.assertIn('hosts[0].host: expected str', message)

    def test_keys_of_a_newer_writer_are_left_out(self):
        self.assertEqual(
            captures.load('healthy'), self.load(self.spoilt(newer={}))
        )

    @hypothesis.given(strategies.binary())
    @hypothesis.settings(max_examples=50)
    def test_any_bytes(self, content):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self.assertRaises(errors.CaptureError, capture.load, file.name)

    @hypothesis.given(json_values, json_values)
    @hypothesis.settings(max_examples=50)
    def test_any_json_in_the_right_frame(self, claims, hosts):
        with tempfile.NamedTemporaryFile() as file:
            frame = {
                'format': capture.FORMAT,
                'version': capture.VERSION,
                'taken_at': '',
                'claims': claims,
                'hosts': hosts,
            }
            file.write(json.dumps(frame).encode())
            file.flush()
            with contextlib.suppress(errors.CaptureError):
                capture.load(file.name)


class ExamplesTest(CaptureTest):
    def test_all_that_are_shipped(self):
        examples = capture.examples()
        self.assertIn('split-brain', examples)
        for name, note in examples.items():
            self.assertNotEqual('', note, name)
            self.assertNotEqual(
                (), capture.load(capture.EXAMPLE + name).claims.routers
            )

    def test_no_such_example(self):
        for name in ('nothing\x1b', '', '../examples/split-brain', '..'):
            message = self.refused(capture.load, capture.EXAMPLE + name)
            self.assertIn('split-brain', message)


class CapturedCloudTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        healthy = captures.load('healthy')
        (self.router,) = healthy.claims.routers
        self.twin = dataclasses.replace(
            self.router, id='f' * 36, project_id='other', agents=()
        )
        self.captured = dataclasses.replace(
            healthy,
            claims=dataclasses.replace(
                healthy.claims, routers=(self.router, self.twin)
            ),
        )
        self.cloud = capture.CapturedCloud(self.captured)

    def ids(self, *names, **filters):
        return [r.id for r in self.cloud.claims(names, **filters).routers]

    def test_all(self):
        self.assertEqual([self.router.id, self.twin.id], self.ids())

    def test_by_id(self):
        self.assertEqual([self.twin.id], self.ids(self.twin.id))

    def test_twice_the_same(self):
        self.assertEqual([self.twin.id], self.ids(self.twin.id, self.twin.id))

    def test_ambiguous(self):
        exc = self.assertRaises(errors.AmbiguousName, self.ids, 'r1')
        self.assertIn(self.router.id, str(exc))
        self.assertIn(self.twin.id, str(exc))

    def test_not_found(self):
        exc = self.assertRaises(errors.RouterNotFound, self.ids, 'r9\x1b')
        self.assertTrue(str(exc).isprintable())

    def test_filters(self):
        self.assertEqual([self.twin.id], self.ids(project='other'))
        host = self.router.agents[0].host
        self.assertEqual([self.router.id], self.ids(host=host))

    def test_project_that_it_does_not_know(self):
        """Perhaps a name, of which a capture has none."""
        exc = self.assertRaises(errors.UsageError, self.ids, project='x\x1b')
        self.assertIn('other', str(exc))
        self.assertTrue(str(exc).isprintable())

    def test_host_that_it_does_not_know(self):
        exc = self.assertRaises(errors.UsageError, self.ids, host='x\x1b')
        self.assertIn(self.router.agents[0].host, str(exc))
        self.assertTrue(str(exc).isprintable())

    def test_again(self):
        self.assertEqual(
            (self.twin,), self.cloud.again([self.twin.id, 'gone'])
        )

    def test_hosts(self):
        self.assertEqual(
            self.captured.claims.hosts, self.cloud.claims(()).hosts
        )

    def test_hosts_whose_agent_lives(self):
        """In captures of older versions it was not written down."""
        self.assertIsNone(self.cloud.claims(()).alive)
        claims = dataclasses.replace(self.captured.claims, alive=('net1',))
        cloud = capture.CapturedCloud(
            dataclasses.replace(self.captured, claims=claims)
        )
        self.assertEqual(('net1',), cloud.claims(()).alive)


class CapturedNodesTest(testtools.TestCase):
    def test_what_was_looked_at_and_what_was_not(self):
        healthy = captures.load('healthy')
        host = healthy.hosts[0].host
        nodes = capture.CapturedNodes(healthy)
        found = nodes.probe(
            [base.Request(host, None), base.Request('other', None)],
            base.Deadline.after(1),
        )
        self.assertEqual(
            [healthy.hosts[0], view.HostView('other')], list(found)
        )
