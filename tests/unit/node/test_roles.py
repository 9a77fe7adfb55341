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

"""Which process does what for a router."""

import testtools

from osc_ha_router import codec
from osc_ha_router.model import view
from osc_ha_router.node import arguments
from osc_ha_router.node import processes
from osc_ha_router.node import roles

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
CONF = f'/var/lib/neutron/ha_confs/{UUID}/keepalived.conf'
KEEPALIVED = (
    *('keepalived', '-P', '-f', CONF),
    *('-p', '/tmp/x.pid', '-r', '/nowhere/x.pid-vrrp'),
)
MONITOR = (
    *('/bin/sh', '/usr/bin/neutron-keepalived-state-change'),
    *('--router_id', UUID, '--conf_dir', CONF.rsplit('/', 1)[0]),
    *('--state_path', '/var/lib/neutron'),
)
#: more than any kernel gives out: nothing is found in /proc for these
BASE = 1 << 23


def found(number, parent, argv=KEEPALIVED, state='S', name='keepalived'):
    return processes.Found(
        pid=BASE + number,
        ppid=BASE + parent if parent > 1 else parent,
        state=state,
        name=name,
        age=1.5,
        argv=tuple(argv),
    )


def assigned(inside, outside=(), zombies=None):
    members = roles.assign(inside, outside, zombies or {}, UUID)
    return [(member.found.pid - BASE, member.role) for member in members]


class RolesTest(testtools.TestCase):
    def test_parent_and_child(self):
        self.assertEqual(
            [(10, 'keepalived'), (11, 'keepalived-vrrp')],
            assigned([found(11, 10), found(10, 1)]),
        )

    def test_forked_for_a_script(self):
        self.assertEqual(
            [(10, 'keepalived'), (11, 'keepalived-vrrp'), (12, 'other')],
            assigned([found(10, 1), found(11, 10), found(12, 11)]),
        )

    def test_parent_alone(self):
        self.assertEqual([(10, 'keepalived')], assigned([found(10, 1)]))

    def test_child_that_nobody_waits_for(self):
        dead = found(11, 10, (), 'Z')
        script = found(12, 10, (), 'Z', 'ha_check_script')
        self.assertEqual(
            [(10, 'keepalived'), (11, 'keepalived-vrrp')],
            assigned(
                [found(10, 1, state='T')],
                zombies={BASE + 10: [dead, script], BASE + 99: [dead]},
            ),
        )

    def test_two_of_them(self):
        self.assertEqual(
            [
                (10, 'keepalived'),
                (11, 'keepalived-vrrp'),
                (20, 'keepalived'),
                (21, 'keepalived-vrrp'),
            ],
            assigned(
                [found(10, 1), found(11, 10), found(20, 1), found(21, 20)]
            ),
        )

    def test_helpers(self):
        for argv in (
            ('radvd', '-C', '/x.conf', '-m', 'syslog'),
            ('/usr/sbin/haproxy', '-f', '/x.conf'),
            ('conntrackd', '-C', '/x.conf', '-d'),
        ):
            (member,) = roles.assign([found(10, 1, argv)], [], {}, UUID)
            self.assertIn(member.role, argv[0])
            self.assertEqual('/x.conf', member.config)

    def test_monitors(self):
        other = [word.replace('7439', '7438') for word in MONITOR]
        self.assertEqual(
            [(10, 'monitor'), (20, 'monitor'), (30, 'other')],
            assigned(
                # up to Train it runs in the namespace
                [found(10, 1, MONITOR), found(30, 1, other)],
                # since then outside; the script forks itself for its loop
                [found(20, 1, MONITOR), found(21, 20, MONITOR)],
            ),
        )

    def test_the_other_namespace(self):
        members = roles.strangers(
            [found(10, 1), found(11, 1, ('haproxy', '-f', '/x.conf'))]
        )
        self.assertEqual(
            ['other', 'haproxy'], [member.role for member in members]
        )


class ReportTest(testtools.TestCase):
    def report(self, argv, **more):
        (member,) = roles.assign([found(10, 1, argv, **more)], [], {}, UUID)
        reported = roles.report(member)
        decoded = codec.decode(view.Process, reported)
        self.assertEqual(reported, codec.encode(decoded))
        return reported

    def test_known(self):
        self.assertEqual(
            {
                'pid': BASE + 10,
                'ppid': 1,
                'role': 'keepalived',
                'state': 'S',
                'command': list(KEEPALIVED),
                'config': CONF,
                'age': 1.5,
            },
            self.report(KEEPALIVED),
        )

    def test_nothing_of_unknown_command_lines(self):
        for argv, command in (
            (('curl', '-u', 'admin:secret'), ['curl']),
            (('my daemon --password secret',), ['my']),
            ((' ', 'secret'), ['sh']),
            ((), ['sh']),
        ):
            reported = self.report(argv, name='sh')
            self.assertEqual('other', reported['role'])
            self.assertEqual(command, reported['command'])

    def test_long_command_lines(self):
        reported = self.report(('haproxy', 'x' * 9999) + ('y',) * 999)
        self.assertLess(len(str(reported)), 2500)


class OptionTest(testtools.TestCase):
    def test_spellings(self):
        for argv in (
            ('keepalived', '-f', CONF),
            ('keepalived', f'-f{CONF}'),
            ('keepalived', '-P', '--use-file', CONF, '-D'),
            ('keepalived', f'--use-file={CONF}'),
        ):
            self.assertEqual(CONF, arguments.option(argv, '-f', '--use-file'))

    def test_missing(self):
        for argv in ((), ('-f',), ('keepalived', '-f'), ('keepalived', '-P')):
            self.assertIsNone(arguments.option(argv, '-f', '--use-file'))

    def test_where_the_files_are(self):
        members = roles.assign(
            [found(10, 1), found(11, 10)],
            [found(20, 1, MONITOR)],
            {},
            UUID,
        )
        self.assertEqual(
            [(BASE + 11, CONF), (BASE + 10, CONF), (BASE + 20, CONF)],
            roles.running(members),
        )
        self.assertEqual(
            [f'/proc/{BASE + 20}/root/var/lib/neutron'], roles.homes(members)
        )

    def test_where_the_files_are_by_title(self):
        title = (
            f'neutron-keepalived-state-change (python3 x --router_id={UUID} '
            f'--state_path=/a --conf_dir={CONF.rsplit("/", 1)[0]})',
        )
        members = roles.assign([], [found(20, 1, title)], {}, UUID)
        self.assertEqual([(BASE + 20, CONF)], roles.running(members))
        self.assertEqual([f'/proc/{BASE + 20}/root/a'], roles.homes(members))
