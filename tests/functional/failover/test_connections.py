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

"""Connections that were open before a move carry data during and after."""

import time

from tests.functional.failover import base
from tests.lab import streams

#: seconds without data: TCP has to send again what was lost in the move
_SILENCE = 1.5


class TestConnections(base.FailoverTest):
    """TCP through r1, both ends of which send ten times a second."""

    def test_connections_live_on(self) -> None:
        """Out with the router's address, and in by the floating IP.

        One after the other to both standbys, so that what was carried over
        once is carried over once more.
        """
        _, standbys = self.settled()
        outside = streams.outside(self.lab)
        server = streams.behind(self.lab)
        floating = self.lab.facts['floating_ip']
        with (
            streams.without_floating_ip(self.lab) as behind,
            streams.Stream(behind, outside) as snat,
            streams.Stream(outside, server, floating) as dnat,
        ):
            self.assertEqual(self.lab.gateway(self.router), snat.seen_from)
            through = {'SNAT': snat, 'floating IP': dnat}
            for target in standbys:
                for name, stream in through.items():
                    self.assertTrue(stream.carries(), (name, stream.trouble()))
                began = time.monotonic()
                moved = self.failover('--to', target)
                self.assertEqual(0, moved.exit_code, (moved.stderr, moved.row))
                assert moved.row is not None
                self.assertRegex(
                    moved.row['Connections'], '^[1-9][0-9]* carried over'
                )
                for name, stream in through.items():
                    self.assertTrue(stream.carries(), (name, stream.trouble()))
                    silence = stream.silence()
                    since = silence.began - began
                    self.assertLess(
                        silence.seconds,
                        _SILENCE,
                        f'{name}: {silence.end} from {since:.1f} s on; '
                        f'{moved.stderr}',
                    )
