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

"""Views in little memory: the same as those that were put in."""

import dataclasses
import json

import hypothesis
from hypothesis import strategies
import msgspec
import testtools

from osc_ha_router import codec
from osc_ha_router import packing
from osc_ha_router.model import view
from tests.unit import strategies as model
from tests.unit.scene import Scene

#: more than are kept as they are
MANY = 100


class PackingTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        scene = Scene.of('healthy')
        self.host = scene.hosts[0]
        (shown,) = self.host.views
        self.many = tuple(
            dataclasses.replace(shown, router_id=f'router {number}')
            for number in range(MANY)
        )

    def pack(self, views, **options):
        packer = packing.Packer(**options)
        for shown in views:
            packer.add(shown)
        return packer.views()


class PackedTest(PackingTest):
    def test_the_same_comes_out(self):
        for compress in (True, False):
            packed = self.pack(self.many, compress=compress)
            self.assertIsInstance(packed, packing.Packed)
            self.assertEqual(self.many, tuple(packed))
            self.assertEqual(self.many, packed)
            self.assertEqual(packed, self.pack(self.many))
            self.assertEqual(repr(self.many), repr(packed))

    def test_is_a_sequence(self):
        packed = self.pack(self.many)
        self.assertEqual(MANY, len(packed))
        self.assertEqual(self.many[3], packed[3])
        self.assertEqual(self.many[-1], packed[-1])
        self.assertEqual(self.many[5:50:7], packed[5:50:7])
        self.assertIn(self.many[7], packed)
        self.assertRaises(IndexError, lambda: packed[MANY])

    def test_others_are_not_the_same(self):
        packed = self.pack(self.many)
        self.assertNotEqual(self.many[1:], packed)
        self.assertNotEqual(packed, self.pack(reversed(self.many)))
        self.assertNotEqual('something else', packed)

    def test_few_are_left_as_they_are(self):
        packed = self.pack(self.many[:3])
        self.assertIsInstance(packed, tuple)
        self.assertIs(self.many[0], packed[0])

    def test_none(self):
        self.assertEqual((), self.pack(()))

    def test_ids_need_no_unpacking(self):
        for views in (self.many, self.pack(self.many), self.many[:2]):
            self.assertEqual(
                [shown.router_id for shown in views], list(packing.ids(views))
            )

    def test_texts(self):
        """Each view in JSON, whatever form they are kept in."""
        for views in (
            self.many,
            self.many[:2],
            self.pack(self.many),
            self.pack(self.many, compress=False),
        ):
            self.assertEqual(
                list(views),
                [codec.loads(view.NodeView, t) for t in packing.texts(views)],
            )

    def test_texts_need_no_unpacking(self):
        packed = self.pack(self.many)
        packed._unpacked = lambda text: self.fail('it was unpacked')
        self.assertEqual(MANY, len(list(packing.texts(packed))))

    def test_only_some(self):
        wanted = {shown.router_id for shown in self.many[1::2]}
        for views in (self.many, self.pack(self.many)):
            for some in (wanted, {'router 7'}, set(), wanted | {'other'}):
                self.assertEqual(
                    tuple(v for v in self.many if v.router_id in some),
                    packing.only(views, some),
                )
            every = {shown.router_id for shown in self.many}
            self.assertEqual(self.many, packing.only(views, every))

    def test_as_far_as_they_have_come(self):
        packer = packing.Packer()
        taken = []
        for number, shown in enumerate(self.many):
            packer.add(shown)
            if number in (2, 63, 64, 80):
                taken.append((number + 1, packer.views()))
        for count, views in taken:
            self.assertEqual(self.many[:count], views)

    def test_takes_a_twentieth_of_the_space(self):
        packed = self.pack(self.many)
        texts = sum(map(len, packed.texts))
        self.assertLess(texts, MANY * len(codec.dumps(self.many[0])) / 3)


class ReplacedTest(PackingTest):
    def test_others_in_their_place(self):
        new = dataclasses.replace(self.many[3], namespace=None)
        for views in (self.many, self.many[:5], self.pack(self.many)):
            found = packing.replaced(
                views, {self.many[3].router_id, 'none'}, (new,)
            )
            self.assertEqual((*views[:3], *views[4:], new), tuple(found))

    def test_stay_packed(self):
        for compress in (True, False):
            packed = self.pack(self.many, compress=compress)
            found = packing.replaced(packed, {'router 1'}, self.many[1:2])
            self.assertIsInstance(found, packing.Packed)
            self.assertEqual(packed.compressed, found.compressed)
            self.assertEqual(self.many[1], found[-1])

    def test_few_are_left(self):
        packed = self.pack(self.many)
        gone = {shown.router_id for shown in self.many[2:]}
        self.assertEqual(self.many[:2], packing.replaced(packed, gone, ()))


class HostTest(PackingTest):
    def encoded(self, shown):
        return json.dumps(codec.encode(shown)).encode()

    def test_the_same_comes_out(self):
        for views in (self.many, self.many[:1], ()):
            shown = dataclasses.replace(self.host, views=views)
            for compress in (True, False):
                found = packing.host(self.encoded(shown), compress=compress)
                self.assertEqual(shown, found)

    @hypothesis.given(model.of(view.HostView))
    @hypothesis.settings(max_examples=50)
    def test_whatever_there_is(self, shown):
        data = self.encoded(shown)
        self.assertEqual(
            codec.decode(view.HostView, json.loads(data)), packing.host(data)
        )

    def test_what_a_terminal_would_obey_is_cleaned(self):
        data = codec.encode(dataclasses.replace(self.host, views=self.many))
        data['views'][4]['links'][0]['name'] = 'lo\x1b[2J'
        found = packing.host(json.dumps(data).encode())
        self.assertEqual(r'lo\x1b[2J', found.views[4].links[0].name)

    def test_names_the_place(self):
        data = codec.encode(dataclasses.replace(self.host, views=self.many))
        data['views'][4]['links'][0]['name'] = 1
        exc = self.assertRaises(
            codec.DecodeError, packing.host, json.dumps(data).encode()
        )
        self.assertEqual(
            'HostView.views[4].links[0].name: expected str', str(exc)
        )

    @hypothesis.given(strategies.binary())
    def test_garbled(self, data):
        self.assertRaises(codec.DecodeError, packing.host, data)

    def test_deep(self):
        self.assertRaises(codec.DecodeError, packing.host, b'[' * 100000)

    def test_reads_every_field_of_a_host(self):
        self.assertEqual(
            {field.name for field in dataclasses.fields(view.HostView)},
            {field.name for field in msgspec.structs.fields(packing.Unread)},
        )
