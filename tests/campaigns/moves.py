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

"""Failovers in a row, each to a random standby."""

import json
import random

from tests.campaigns import traces
from tests.lab.failovers import Failover
from tests.lab.holding import Holders
from tests.lab.lab import Lab
from tests.lab.layout import VRRP_ADVERT_INTERVAL

#: the router is brought to rest before the first only: what one run leaves
#: behind, the next has to cope with
_settled = False


def run(lab: Lab, chance: random.Random, number: int) -> traces.Line:
    """Move r1 once; see that it did as told, and did nothing else."""
    global _settled
    if not _settled:
        lab.mend()
        _settled = True
    router = lab.facts['router']
    (source,) = lab.active_nodes(router)
    target = chance.choice([name for name in lab.nodes if name != source])
    before = traces.take(lab, router)
    with Holders(lab, router) as holders:
        failover = Failover(lab, 'r1', ['--to', target])
        status = failover.wait()
        row = failover.row()
    wrong = list(traces.left(before, traces.take(lab, router), False))
    if status:
        said = failover.errors().strip().splitlines()[-5:]
        notes = row.get('Notes') or []
        wrong.append(f'exit code {status}: {"; ".join([*said, *notes])}')
    active = lab.active_nodes(router)
    if active != [target]:
        wrong.append(f'it is active on {" and ".join(active) or "no node"}')
    if holders.shared() > VRRP_ADVERT_INTERVAL:
        wrong.append('two nodes held the address for too long')
    wrong += _check(lab)
    text = (
        f'{source} to {target}: exit {status}, {row.get("Result")}, takeover '
        f'{row.get("Takeover Seconds")} s, two holders '
        f'{holders.shared():.3f} s, none {holders.vacant():.3f} s'
    )
    return traces.Line(text, wrong)


def _check(lab: Lab) -> list[str]:
    done = lab.openstack('router', 'ha', 'check', 'r1', '-f', 'json')
    try:
        (row,) = json.loads(done.stdout)
    except ValueError:
        return [f'check, exit {done.returncode}: {done.stderr.strip()}']
    if done.returncode == 0 and row['Health'] == 'OK':
        return []
    codes = [f'{f["code"]} {f["summary"]}' for f in row['Findings']]
    return [f'check says {row["Health"]}: {"; ".join(codes)}']
