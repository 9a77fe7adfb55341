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

"""What the installed plugin costs every other ``openstack`` command.

Makes two virtual environments that differ by the plugin alone, and times
``openstack --version`` in both. Fails when the median of the differences,
pair by pair, is above 10 ms.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

from benchmarks import pairs

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNS = 30
BOUND = 0.010


def _environment(folder: pathlib.Path, *packages: str) -> str:
    """Make a virtual environment and return its openstack command."""
    venv.create(folder, with_pip=True)
    subprocess.run(
        [folder / 'bin' / 'pip', 'install', '--quiet', *packages], check=True
    )
    return str(folder / 'bin' / 'openstack')


def main() -> int:
    """Measure, print, and say whether the bound is met."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        with_it = _environment(place / 'with', str(ROOT))
        frozen = subprocess.run(
            [place / 'with' / 'bin' / 'pip', 'freeze'],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        same = [line for line in frozen if 'osc-ha-router' not in line]
        without = _environment(place / 'without', *same)
        times = pairs.compare(
            'openstack --version',
            ('with the plugin', [with_it, '--version']),
            ('without', [without, '--version']),
            runs=RUNS,
        )
    difference = statistics.median(a - b for a, b in zip(*times, strict=True))
    print(f'median difference: {difference * 1000:.1f} ms')
    return pairs.verdict('startup', difference, BOUND)


if __name__ == '__main__':
    sys.exit(main())
