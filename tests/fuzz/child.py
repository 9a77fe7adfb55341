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

"""Fuzz one target in this process: ``python -m tests.fuzz.child NAME ...``.

The other arguments are those of libFuzzer. It ends the process by itself:
with 0 when the time is over, with something else when it has found a bug.
"""

import importlib
import sys


def main() -> None:
    """Fuzz until the time is over, or until there is a bug."""
    name, *options = sys.argv[1:]
    # not a dependency of the tests: it is to be had for some platforms only
    atheris = importlib.import_module('atheris')
    # what is imported in here tells the fuzzer where it has been
    with atheris.instrument_imports(include=['osc_ha_router']):
        from tests.fuzz import targets

        check = targets.load(name)
    atheris.Setup([name, *options], check)
    atheris.Fuzz()


if __name__ == '__main__':
    main()
