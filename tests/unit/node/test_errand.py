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

"""A change of a router on its node, from its lock to its undoing.

Namespace and keepalived are stood in for; files, journal and lock are real.
"""

import contextlib
import json
import os
import pathlib
import signal

import fixtures
import testtools

from osc_ha_router.node import change
from osc_ha_router.node import daemon
from osc_ha_router.node import ending
from osc_ha_router.node import errand
from osc_ha_router.node import errors
from osc_ha_router.node import guardian
from osc_ha_router.node import hold
from osc_ha_router.node import journal
from osc_ha_router.node import lock
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import quiet
from osc_ha_router.node import tools

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
SPACE = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere', 4711)
CONF = b"""\
vrrp_instance VR_14 {
    state BACKUP
    interface ha-1
    virtual_router_id 14
    priority 50
    nopreempt
    advert_int 2
    virtual_ipaddress {
        169.254.0.14/24 dev ha-1
    }
}
"""


class Traveller(contextlib.ExitStack):
    """Enters nothing."""

    descriptor = 2

    def inside(self, space):
        return contextlib.nullcontext()


class Guardian:
    """Does nothing until it is told that the program was killed."""

    def __init__(self, seconds, keep, rescue):
        self.rescue = rescue
        self.dismissed = False

    def dismiss(self):
        self.dismissed = True


class ErrandTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self.path / 'keepalived.conf'
        self.conf.write_bytes(CONF)
        locks = self.useFixture(fixtures.TempDir()).path
        os.chmod(locks, 0o700)
        #: what keepalived has read, as often as it was told to
        self.read = []
        self.lives = [daemon.Family(100, 101)]
        self.signals = []
        self.guardians = []
        for owner, name, stand_in in (
            (lock, 'FOLDER', locks),
            (namespaces, 'Traveller', Traveller),
            (namespaces, 'listing', lambda: {SPACE.name: SPACE}),
            (namespaces, 'current', lambda: SPACE.inode),
            (place, 'find', self.find),
            (guardian, 'Guardian', self.guard),
            (daemon, 'find', lambda *_: self.lives),
            (daemon, 'reload', self.reload),
            (daemon, 'send', lambda *words: self.signals.append(words)),
        ):
            self.patch(owner, name, stand_in)
        self.errands = errand.Errands()
        self.addCleanup(self.errands.close)

    def patch(self, owner, name, stand_in):
        self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def find(self, traveller, router_id):
        return place.Place(SPACE, str(self.conf), [str(self.path)])

    def guard(self, *arguments):
        self.guardians.append(Guardian(*arguments))
        return self.guardians[-1]

    def reload(self, *_):
        self.read.append(self.conf.read_bytes())
        return [family.parent for family in self.lives]

    def ask(self, operation, **fields):
        return operation(dict(fields, router=UUID), None, self.errands)

    def begin(self):
        return self.ask(change.begin, by='anna', seconds=60)

    def promote(self, sha256=None):
        return self.ask(
            change.promote,
            priority=200,
            preempt=True,
            sha256=sha256 or self.begin()['sha256'],
        )

    def refused(self, operation, **fields):
        error = self.assertRaises(
            errors.ProgramError, lambda: self.ask(operation, **fields)
        )
        return error.kind

    def untouched(self):
        self.assertEqual(CONF, self.conf.read_bytes())
        self.assertEqual(['keepalived.conf'], os.listdir(self.path))
        self.assertEqual([], os.listdir(lock.FOLDER))


class BeginTest(ErrandTest):
    def test_what_is_there(self):
        shown = self.begin()
        self.assertEqual(
            {
                'undone': [],
                'keepalived': [100, 101],
                'sha256': journal.digest(CONF),
                'priority': 50,
                'nopreempt': True,
                'advert_int': 2,
                'namespace': SPACE.name,
            },
            shown,
        )
        owner = lock.holder(UUID)
        self.assertEqual(
            ('anna', str(self.conf)), (owner['by'], owner['conf'])
        )
        self.errands.end(UUID)
        self.untouched()
        self.assertTrue(self.guardians[0].dismissed)

    def test_not_twice(self):
        self.begin()
        self.assertEqual(
            errors.LOCKED,
            self.assertRaises(
                errors.ProgramError,
                errand.Errand,
                UUID,
                'bob',
                9.0,
                ending.Trap(),
            ).kind,
        )

    def test_conf_that_cannot_be_understood(self):
        self.conf.write_bytes(b'vrrp_instance {')
        kind = self.refused(change.begin, by='anna', seconds=60)
        self.assertEqual(errors.UNFIT, kind)
        self.assertEqual([], os.listdir(lock.FOLDER))

    def test_folder_has_gone(self):
        self.conf = self.path / 'gone' / 'keepalived.conf'
        kind = self.refused(change.begin, by='anna', seconds=60)
        self.assertEqual(errors.ABSENT, kind)

    def test_file_has_gone(self):
        self.conf.unlink()
        kind = self.refused(change.begin, by='anna', seconds=60)
        self.assertEqual(errors.ABSENT, kind)
        self.assertEqual([], os.listdir(lock.FOLDER))

    def test_what_a_predecessor_had_left_is_undone_first(self):
        self.promote()
        left = {path: path.read_bytes() for path in self.path.iterdir()}
        self.errands.end(UUID)
        # as SIGKILL leaves it
        for path, content in left.items():
            path.write_bytes(content)
            path.chmod(0o600)
        shown = self.begin()
        self.assertIn('put back', shown['undone'][0])
        self.assertEqual(50, shown['priority'])

    def test_journal_of_somebody_else_stands_in_the_way(self):
        (self.path / journal.NAME).write_text('{}')
        kind = self.refused(change.begin, by='anna', seconds=60)
        self.assertEqual(errors.LEFT, kind)
        self.assertEqual(CONF, self.conf.read_bytes())


class BareTest(ErrandTest):
    def find(self, traveller, router_id):
        raise errors.ProgramError(errors.ABSENT, 'no namespace')

    def test_lock_alone(self):
        self.patch(hold, '_settle', lambda *_: ['it was put back'])
        shown = self.ask(change.begin, by='anna', seconds=60, bare=True)
        self.assertEqual(['it was put back'], shown['undone'])
        self.assertIsNone(shown['priority'])
        self.assertEqual('anna', lock.holder(UUID)['by'])
        self.assertEqual(errors.ABSENT, self.refused(change.terminate))
        self.errands.end(UUID)
        self.assertEqual([], os.listdir(lock.FOLDER))

    def test_only_where_it_was_asked_for(self):
        kind = self.refused(change.begin, by='anna', seconds=60, bare=False)
        self.assertEqual(errors.ABSENT, kind)


class PromoteTest(ErrandTest):
    def test_and_back(self):
        made = self.promote()
        self.assertIn(b'priority 200', self.conf.read_bytes())
        self.assertNotIn(b'nopreempt', self.conf.read_bytes())
        self.assertEqual(
            journal.digest(self.conf.read_bytes()), made['sha256']
        )
        begun = self.errands.of(UUID)
        self.assertTrue(begun.unchanged())
        self.assertEqual('restored', begun.restore())
        self.assertEqual('nothing', begun.restore())
        self.assertEqual(CONF, self.read[-1])
        self.errands.end(UUID)
        self.untouched()

    def test_undone_at_the_end(self):
        self.promote()
        self.assertIn('put back', self.errands.end(UUID)[0])
        self.untouched()
        self.assertEqual(CONF, self.read[-1])

    def test_undone_when_the_conversation_breaks_off(self):
        self.promote()
        self.errands.close()
        self.untouched()

    def test_undone_by_the_guardian(self):
        self.promote()
        self.guardians[0].rescue()
        self.untouched()

    def test_guardian_of_another_errand_lets_it_be(self):
        self.promote()
        path = self.path / journal.NAME
        content = dict(json.loads(path.read_bytes()), token='another')
        path.write_text(json.dumps(content))
        self.guardians[0].rescue()
        self.assertIn(b'priority 200', self.conf.read_bytes())

    def test_another_file_than_was_meant(self):
        sha256 = self.begin()['sha256']
        self.conf.write_bytes(CONF + b'# rewritten\n')
        self.assertFalse(self.errands.of(UUID).unchanged())
        error = self.assertRaises(errors.ProgramError, self.promote, sha256)
        self.assertEqual(errors.CHANGED, error.kind)
        self.assertEqual(CONF + b'# rewritten\n', self.conf.read_bytes())

    def test_rewritten_between_look_and_change(self):
        self.begin()
        error = self.assertRaises(
            errors.ProgramError, self.errands.of(UUID).write, b'else', b'new'
        )
        self.assertEqual(errors.CHANGED, error.kind)
        self.errands.end(UUID)
        self.untouched()

    def test_without_keepalived(self):
        sha256 = self.begin()['sha256']
        self.lives = [daemon.Family(100, None)]
        error = self.assertRaises(errors.ProgramError, self.promote, sha256)
        self.assertEqual(errors.NO_KEEPALIVED, error.kind)
        self.assertEqual(CONF, self.conf.read_bytes())

    def test_keepalived_ends_meanwhile(self):
        self.begin()
        begun = self.errands.of(UUID)
        self.lives = []
        error = self.assertRaises(
            errors.ProgramError, begun.write, CONF, b'new'
        )
        self.assertEqual(errors.NO_KEEPALIVED, error.kind)
        self.errands.end(UUID)
        self.untouched()

    def test_file_that_becomes_a_folder_is_left(self):
        self.promote()
        self.conf.unlink()
        self.conf.mkdir()
        begun = self.errands.of(UUID)
        self.assertFalse(begun.unchanged())
        for put_back in (begun.restore, lambda: self.errands.end(UUID)):
            error = self.assertRaises(errors.ProgramError, put_back)
            self.assertEqual(errors.LEFT, error.kind)
        # whoever comes next finds it, and no lock in their way
        self.assertTrue((self.path / journal.NAME).exists())
        self.assertIsNone(lock.holder(UUID))


class QuietTest(ErrandTest):
    def setUp(self):
        super().setUp()
        self.tool = tools.Tool('ip6tables', None, ('ip6tables',))
        self.rules = []
        self.patch(quiet, 'find', lambda pid: self.tool)
        self.patch(quiet, 'add', self.rules.append)
        self.patch(quiet, 'remove', lambda tool: bool(self.rules.clear()))

    def test_set_and_removed(self):
        self.begin()
        self.assertEqual(
            {'quiet': True, 'reason': None}, self.ask(change.quiet)
        )
        self.assertEqual([self.tool], self.rules)
        self.errands.end(UUID)
        self.assertEqual([], self.rules)
        self.untouched()

    def test_without_ip6tables(self):
        self.begin()
        self.tool = None
        self.assertEqual(
            {'quiet': False, 'reason': 'there is no ip6tables'},
            self.ask(change.quiet),
        )

    def test_cannot_be_set(self):
        self.begin()
        self.patch(quiet, 'add', self.fail_to_add)
        self.assertEqual(
            {'quiet': False, 'reason': 'no such table'},
            self.ask(change.quiet),
        )

    def fail_to_add(self, tool):
        raise tools.Failed('no such table')

    def test_namespace_was_made_anew(self):
        self.begin()
        self.patch(namespaces, 'current', lambda: 42)
        self.assertEqual(errors.ABSENT, self.refused(change.quiet))

    def test_only_what_can_be_undone(self):
        self.begin()
        begun = self.errands.of(UUID)
        self.assertRaises(ValueError, begun.record, {'kind': 'route'})


class TerminateTest(ErrandTest):
    def test_parent_is_asked(self):
        self.begin()
        self.assertEqual({'pid': 100}, self.ask(change.terminate))
        self.assertEqual([(100, signal.SIGTERM)], self.signals)

    def test_nothing_has_begun(self):
        self.assertEqual(errors.NO_ERRAND, self.refused(change.terminate))
        self.assertEqual([], self.signals)
