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

"""What is asked of the nodes, and what is made of their answers."""

from osc_ha_router.backends import base as backends
from osc_ha_router.failover import nodes
from osc_ha_router.node import errors as program
from osc_ha_router.node import serve
from tests.unit import lines
from tests.unit.failover import move

NEIGHBOUR = {
    'device': 'qg-01234567-89',
    'address': '203.0.113.1',
    'mac': 'fa:16:3e:00:00:01',
}


class NodeTest(move.MoveTest):
    def setUp(self):
        super().setUp()
        self.made = self.begun()
        self.node = self.made.hosts[self.target]

    def fields(self, op: str):
        return self.nodes.fields(self.target, op)

    def test_every_request_names_the_router(self):
        self.node.finish(self.made.until)
        for _, _, fields in self.nodes.asked:
            self.assertEqual(self.well.router.id, fields['router'])

    def test_every_operation_is_one_of_the_real_program(self):
        for method in move.METHODS:
            self.renew()
            self.move(method)
            self.assertLessEqual(set(self.nodes.ops()), set(serve.OPERATIONS))

    def test_begun(self):
        self.assertEqual(
            nodes.Begun(
                undone=(),
                keepalived=(
                    self.well.pid(self.target, 'keepalived'),
                    self.well.pid(self.target, 'keepalived-vrrp'),
                ),
                sha256=self.well.conf(self.target).sha256,
            ),
            self.node.begun,
        )

    def test_seconds_are_what_the_program_takes(self):
        for left, asked in ((0.1, 1.0), (30, 30.0), (5000, 900.0)):
            self.node.finish(self.made.until)
            self.node.begin('somebody', backends.Deadline.after(left))
            self.assertEqual(asked, self.fields('begin')[-1]['seconds'])

    def test_promote(self):
        self.node.promote(254, True, self.made.until)
        self.assertEqual(
            [
                {
                    'router': self.well.router.id,
                    'priority': 254,
                    'preempt': True,
                    'sha256': self.well.conf(self.target).sha256,
                }
            ],
            self.fields('raise'),
        )
        conf = self.nodes.scene.conf(self.target)
        self.assertEqual((254, False), (conf.priority, conf.nopreempt))
        self.assertEqual(1, len(self.node.finish(self.made.until)))
        conf = self.nodes.scene.conf(self.target)
        self.assertEqual(self.well.conf(self.target), conf)

    def test_promote_of_another_file(self):
        self.nodes.edit(lambda s: s.with_conf(self.target, sha256='e' * 64))
        trouble = self.assertRaises(
            backends.Trouble, self.node.promote, 254, True, self.made.until
        )
        self.assertEqual('changed', trouble.refusal)

    def test_without_a_lock(self):
        self.node.finish(self.made.until)
        trouble = self.assertRaises(
            backends.Trouble, self.node.quiet, self.made.until
        )
        self.assertEqual('no-errand', trouble.refusal)

    def test_watch(self):
        source = self.made.source
        self.assertIs(False, source.watch(self.made.until, lambda: True))
        self.nodes.move(self.target)
        self.assertIs(True, source.watch(self.made.until, lambda: False))

    def test_takeover(self):
        self.nodes.ports = [{'device': 'qg-1', 'seconds': 1}]
        self.nodes.move(self.target)
        events = []
        took = self.node.takeover(
            self.made.until,
            timeout=1,
            hold=0.1,
            stay=0.2,
            event=events.append,
            enough=lambda: False,
        )
        self.assertEqual(
            nodes.Takeover(
                active=True,
                restored=True,
                revived=(nodes.Revived('qg-1', 1.0),),
                guarded=True,
            ),
            took,
        )
        self.assertEqual(
            ['active', 'revived'], [reply['event'] for reply in events]
        )

    def test_export_and_import_in_batches(self):
        self.nodes.neighbours = [NEIGHBOUR] * 1201
        count, near, tracked = self.made.source.export(self.made.until)
        self.assertEqual(nodes.Carried(1201, 0), count)
        self.assertEqual(1201, len(near))
        self.assertEqual([], tracked)
        total = self.node.absorb(near, [], self.made.until)
        self.assertEqual(nodes.Carried(1201, 0), total)
        asked = self.fields('import')
        self.assertEqual(
            [500, 500, 201], [len(fields['neighbours']) for fields in asked]
        )

    def test_both_lists_are_long(self):
        line = _Counting()
        node = nodes.Node(line, self.well.router.id)
        total = node.absorb(
            list(range(600)), list(range(1400)), self.made.until
        )
        self.assertEqual(
            [(500, 500), (100, 500), (0, 400)],
            [
                (len(f['neighbours']), len(f['connections']))
                for f in line.asked
            ],
        )
        self.assertEqual(nodes.Carried(600, 1400, 3, 'as it is'), total)

    def test_nothing_to_import_is_imported(self):
        """It tells whether the node could."""
        self.node.absorb([], [], self.made.until)
        self.assertEqual(1, len(self.fields('import')))

    def test_what_the_program_does_not_take(self):
        trouble = self.assertRaises(
            backends.Trouble, self.node.absorb, [{}], [], self.made.until
        )
        self.assertIsNone(trouble.refusal)
        self.assertEqual('node-error', trouble.failure.kind)

    def test_answers_of_another_shape(self):
        for op, end, call in (
            ('quiet', {'quiet': 1}, lambda n, u: n.quiet(u)),
            ('watch', {'gone': None}, lambda n, u: n.watch(u, lambda: True)),
            ('export', {'neighbours': 'x'}, lambda n, u: n.export(u)),
            ('import', {'refused': 0.5}, lambda n, u: n.absorb([], [], u)),
            ('finish', {'undone': [1]}, lambda n, u: n.finish(u)),
        ):
            self.nodes.fault(self.target, op, end=end)
            trouble = self.assertRaises(
                backends.Trouble, call, self.node, self.made.until
            )
            self.assertEqual('garbled', trouble.failure.kind)
            self.assertIsNone(trouble.refusal)
            self.assertIn(self.target, trouble.failure.message)

    def test_words_of_a_node_are_made_safe(self):
        end = {'quiet': False, 'reason': '\x1b[31m\u202e'}
        self.nodes.fault(self.target, 'quiet', end=end)
        reason = self.node.quiet(self.made.until).reason
        self.assertEqual('\\x1b[31m\\u202e', reason)

    def test_kinds_of_the_program(self):
        """Every refusal is told from a conversation that has ended."""
        for name, kind in vars(program).items():
            if name.isupper():
                trouble = lines.refusal('net1', kind, 'because')
                self.assertIn('because', trouble.failure.message)
                self.assertIn(trouble.refusal, (kind, None))
                mends = trouble.refusal or trouble.failure.kind
                self.assertNotIn(mends, ('truncated', 'garbled'))


class _Counting(backends.Conversation):
    """Takes whatever it is given."""

    host = 'net1'

    def __init__(self):
        self.asked = []

    def call(self, op, fields, until, enough=None):
        self.asked.append(fields)
        yield {
            'end': {
                'neighbours': len(fields['neighbours']),
                'connections': len(fields['connections']) or None,
                'refused': 1,
                'reason': 'as it is',
            }
        }
