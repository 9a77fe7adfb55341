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

"""``router ha check r1`` against ``network agent list --router r1 --long``.

The first looks into the namespaces of three nodes, the second asks Neutron
only. Needs the lab. Fails when the median ratio is above 1.5.
"""

import pathlib
import statistics
import sys

from benchmarks import pairs
from tests.lab.lab import Lab

RUNS = 10
BOUND = 1.5


def main() -> int:
    """Measure, print, and say whether the bound is met."""
    lab = Lab.attach()
    lab.mend()
    openstack = str(pathlib.Path(sys.prefix, 'bin', 'openstack'))
    check = [openstack, 'router', 'ha', 'check', 'r1']
    agents = [openstack, 'network', 'agent', 'list', '--router', 'r1']
    times = pairs.compare(
        'One router on the lab',
        ('router ha check r1', lab.enter(check)),
        (
            'network agent list --router r1 --long',
            lab.enter([*agents, '--long']),
        ),
        runs=RUNS,
        env=lab.environment(),
    )
    ratio = statistics.median(pairs.ratios(times))
    return pairs.verdict('check', ratio, BOUND)


if __name__ == '__main__':
    sys.exit(main())
