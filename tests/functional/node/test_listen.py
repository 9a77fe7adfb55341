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

"""VRRP on real ha- devices."""

import os
import socket
import time

from osc_ha_router.node import namespaces
from tests.functional.node import spaces
from tests.unit.node import test_vrrp as wire

LEFT = '169.254.192.5'


class ListenTest(spaces.SpaceTest):
    def setUp(self):
        super().setUp()
        self.pair = self.useFixture(spaces.Pair())
        self.left, self.right = self.pair.left, self.pair.right

    def heard(self, seconds=2.2):
        views, _ = self.probe(
            self.left.router_id, self.right.router_id, listen=seconds
        )
        for shown in views:
            self.assertEqual((), shown.problems)
            self.assertEqual(spaces.HA, shown.listening.device)
            self.assertTrue(seconds <= shown.listening.seconds < seconds + 1)
        return [self.without_count(shown.listening) for shown in views]

    @staticmethod
    def without_count(listening):
        return {
            (each.source, each.vrid, each.priority, each.own)
            for each in listening.adverts
        }

    def active(self, **options):
        self.left.write(**options)
        self.left.keepalived()
        self.assertTrue(spaces.eventually(self.left.active))

    def test_own_and_others(self):
        self.active()
        self.assertEqual(
            [
                {(LEFT, spaces.VRID, 50, True)},
                {(LEFT, spaces.VRID, 50, False)},
            ],
            self.heard(),
        )

    def test_count(self):
        self.active()
        shown = self.look(self.right, listen=3.5)
        (advert,) = shown.listening.adverts
        # one a second
        self.assertIn(advert.count, (3, 4))

    def test_silence(self):
        self.assertEqual([set(), set()], self.heard(0.3))

    def test_version_3(self):
        self.active(extra_globals='    vrrp_version 3')
        self.assertEqual(
            [
                {(LEFT, spaces.VRID, 50, True)},
                {(LEFT, spaces.VRID, 50, False)},
            ],
            self.heard(),
        )

    def test_authentication_header(self):
        self.active(
            extra='authentication {\nauth_type AH\nauth_pass secret\n}'
        )
        self.assertEqual(
            [
                {(LEFT, spaces.VRID, 50, True)},
                {(LEFT, spaces.VRID, 50, False)},
            ],
            self.heard(),
        )

    def test_frames(self):
        # sent in the right namespace, heard at both ends while they come
        for name, (frame, found) in wire.ADVERTISEMENTS.items():
            left, right = self.with_frame(frame)
            self.assertEqual({(*found, False)}, left, name)
            self.assertEqual({(*found, True)}, right, name)
        for name, frame in {**wire.OTHERS, **wire.IMPOSTORS}.items():
            self.assertEqual([set(), set()], self.with_frame(frame), name)

    def with_frame(self, frame):
        """What is heard while another process sends one frame."""
        child = os.fork()
        if child == 0:
            try:
                for _ in range(10):
                    time.sleep(0.03)
                    self.inject(frame)
            finally:
                os._exit(0)
        heard = self.heard(0.25)
        os.waitpid(child, 0)
        return heard

    def inject(self, frame):
        with namespaces.Traveller() as traveller:
            space = namespaces.listing()[self.right.name]
            with traveller.inside(space):
                sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with sender:
            sender.bind((spaces.HA, 0))
            sender.send(frame)

    def test_device_that_is_down(self):
        self.active()
        self.right.ip('link', 'set', spaces.HA, 'down')
        views, _ = self.probe(
            self.left.router_id, self.right.router_id, listen=0.3
        )
        self.assertEqual((), views[1].listening.adverts)
        self.assertEqual((), views[1].problems)

    def test_no_device(self):
        self.right.ip('link', 'del', spaces.HA)
        views, _ = self.probe(
            self.left.router_id, self.right.router_id, listen=0.1
        )
        for shown in views:
            self.assertIsNone(shown.listening)
            self.assertEqual(
                [('listening', 'there is no ha- device')],
                [(each.what, each.message) for each in shown.problems],
            )

    def test_the_device_that_is_up(self):
        # a leftover of an earlier port beside the one in use
        self.right.ip('tuntap', 'add', 'dev', 'ha-00000000-00', 'mode', 'tap')
        self.right.ip('link', 'set', 'ha-00000000-00', 'down')
        self.active()
        self.assertEqual({(LEFT, spaces.VRID, 50, False)}, self.heard(1.2)[1])
