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

"""The command ``openstack router ha rebalance``."""

import argparse
from collections.abc import Iterable

from osc_ha_router import text
from osc_ha_router.commands import moving
from osc_ha_router.fleet import plan as plans
from osc_ha_router.model import report


class RebalanceRouterHA(moving.MoveMany):
    """Spread the active routers evenly over the network nodes.

    Moves as few routers as that takes, each as "router ha failover" does
    it. A router that is not healthy stays where it is, and counts there.
    Ctrl-C lets the moves under way come to their end and begins no others;
    pressed again, it cuts them off and the nodes undo them. Run again, it
    goes on with what is left.

    Exit status: 0 even, or nothing to do, 1 refused with nothing changed,
    2 wrong usage, 3 not known, or interrupted, 4 some could not be moved.
    """

    def plan(
        self,
        parsed_args: argparse.Namespace,
        reports: Iterable[report.Report],
        ignore: frozenset[str],
    ) -> plans.Plan:
        made = plans.rebalance(reports, ignore)
        if made.blind:
            hosts = ', '.join(sorted(made.unseen))
            self.note(
                'It is not proven that the routers are spread evenly: what '
                f'is active is not known of {text.clean(hosts)}.'
            )
        return made
