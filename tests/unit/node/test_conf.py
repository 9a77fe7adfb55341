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

"""Another priority in keepalived.conf, and nothing else."""

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import blocks
from osc_ha_router.node import conf
from osc_ha_router.node import keepalived
from tests.unit.node import test_keepalived

FILES = {
    path.stem: path.read_bytes()
    for path in test_keepalived.SAMPLES.glob('*.conf')
}
INSTANCE = b"""vrrp_instance VR_1 {
    interface ha-1
    virtual_router_id 1
    priority 50
    nopreempt
    virtual_ipaddress {
        169.254.0.1/24 dev ha-1
    }
}"""


def lines(data):
    return data.split(b'\n')


class PromotedTest(testtools.TestCase):
    def test_releases(self):
        for name, before in FILES.items():
            after = conf.promoted(before, 254, True)
            expected = lines(before)
            expected.remove(b'    nopreempt')
            position = expected.index(b'    priority 50')
            expected[position] = b'    priority 254'
            self.assertEqual(expected, lines(after), name)
            parsed = keepalived.parse(after.decode())
            self.assertEqual(254, parsed['priority'])
            self.assertFalse(parsed['nopreempt'])

    def test_nopreempt_stays(self):
        for before in FILES.values():
            self.assertEqual(
                before.replace(b'priority 50', b'priority 7'),
                conf.promoted(before, 7, False),
            )

    def test_there_and_back(self):
        for before in FILES.values():
            after = conf.promoted(before, 200, False)
            self.assertEqual(before, conf.promoted(after, 50, False))

    def test_bytes_survive(self):
        """No encoding, no line ends, no comments are touched."""
        before = b'# \xff\xfe\x85\x1c\r\n\r\n' + INSTANCE.replace(
            b'priority 50', b'priority\t50   # \xc3\xa9 priority 3'
        )
        self.assertEqual(
            before.replace(b'priority\t50', b'priority\t99'),
            conf.promoted(before, 99, False),
        )

    def test_the_right_instance(self):
        other = INSTANCE.replace(b'ha-1', b'eth0')
        for before in (
            other + b'\n' + INSTANCE,
            INSTANCE + b'\n' + other,
            b'vrrp_instance priority 50 {\n}\n' + INSTANCE,
            INSTANCE.replace(b'VR_1 {', b'VR_1\n{'),
            INSTANCE.replace(
                b'    nopreempt\n',
                b'    track_script {\n        priority 50\n    }\n',
            ),
        ):
            after = conf.promoted(before, 200, False)
            changed = [
                (one, two)
                for one, two in zip(lines(before), lines(after), strict=True)
                if one != two
            ]
            self.assertEqual(
                [(b'    priority 50', b'    priority 200')], changed
            )
            self.assertEqual(200, keepalived.parse(after.decode())['priority'])

    def test_password_with_signs(self):
        before = INSTANCE.replace(
            b'    nopreempt\n',
            b'    authentication {\n        auth_type PASS\n'
            b'        auth_pass }{#priority 50\n    }\n    nopreempt\n',
        )
        after = conf.promoted(before, 200, True)
        self.assertIn(b'auth_pass }{#priority 50', after)
        self.assertIn(b'    priority 200\n', after)

    def test_refused(self):
        for before in (
            b'',
            b'global_defs {\n}\n',
            INSTANCE.replace(b'ha-1', b'eth0'),
            INSTANCE.replace(b'    priority 50\n', b''),
            INSTANCE.replace(b'priority 50', b'priority 50 51'),
            INSTANCE.replace(b'priority 50', b'priority many'),
            INSTANCE.replace(b'    priority 50\n    nopre', b'    { priority'),
            INSTANCE[:-1],
            INSTANCE.replace(b'\n', b' '),
        ):
            self.assertRaises(
                blocks.ConfError, conf.promoted, before, 200, True
            )

    @hypothesis.given(
        strategies.lists(
            strategies.sampled_from(
                [*lines(INSTANCE), b'{', b'}', b'#', b'priority', b'\x85']
            )
        ),
        strategies.integers(1, 254),
        strategies.booleans(),
    )
    def test_noise(self, chosen, priority, preempt):
        before = b'\n'.join(chosen)
        try:
            after = conf.promoted(before, priority, preempt)
        except blocks.ConfError:
            return
        parsed = keepalived.parse(after.decode('utf-8', 'replace'))
        self.assertEqual(priority, parsed['priority'])
        for line in lines(after):
            self.assertTrue(
                line in chosen or line == b'    priority %d' % priority
            )
