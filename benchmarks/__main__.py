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

"""Run all benchmarks, as root: ``python -m benchmarks [name ...]``."""

import subprocess
import sys

#: name -> whether it is measured on the lab
NAMES = {
    'startup': False,
    'check': True,
    'namespaces': False,
    'outage': True,
    'sweep': False,
    'crowd': False,
    'growth': False,
}


def main() -> int:
    """Run those named, or all; fail if one misses its bound."""
    names = sys.argv[1:] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f'no benchmark {unknown[0]}; there are: {", ".join(NAMES)}')
        return 2
    if any(NAMES[name] for name in names):
        subprocess.run([sys.executable, '-m', 'tests.lab', 'up'], check=True)
    missed = [
        name
        for name in names
        if subprocess.run(
            [sys.executable, '-m', f'benchmarks.{name}']
        ).returncode
    ]
    if missed:
        print('bound missed or not measured: ' + ', '.join(missed))
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
