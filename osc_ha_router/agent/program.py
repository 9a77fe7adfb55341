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

"""The way into osc-ha-router-agent, also where its libraries are missing."""

import sys


def main() -> int:
    """Run the agent.

    :return: its exit code
    """
    try:
        from osc_ha_router.agent import main as agent
    except ModuleNotFoundError as exc:
        print(
            f'osc-ha-router-agent: {exc}; install the package with its extra '
            "for the agent: pip install 'osc-ha-router[agent]'",
            file=sys.stderr,
        )
        return 1
    return agent.main()
