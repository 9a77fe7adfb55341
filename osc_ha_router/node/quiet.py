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

"""Holding off multicast reports, which lead the router's MAC back.

On losing its addresses the old node sends MLDv2 reports from the router's
own MAC, and switches learn it back to the old port until the new node sends
again. Both functions work on the network namespace of this thread.
"""

import typing

from osc_ha_router.node import tools

#: recognisable by its comment, should anybody wonder; -w waits for others
#: who change rules
_RULE = (
    *('-p', 'icmpv6', '--icmpv6-type', '143'),
    *('-m', 'comment', '--comment', 'osc-ha-router'),
    *('-j', 'DROP'),
)
_MOST = 16


def find(pid: typing.Optional[int]) -> typing.Optional[tools.Tool]:
    """What the rule is set with.

    :param pid: of a process that may live in a container
    """
    return tools.find('ip6tables', pid)


def add(tool: tools.Tool) -> None:
    """Sets the rule before all others.

    :raises Failed: it cannot be set
    """
    tools.must(tool, ('-w', '-I', 'OUTPUT', '1') + _RULE)


def remove(tool: tools.Tool) -> bool:
    """Removes the rule, however often it is there.

    :returns: whether it was
    :raises Failed: it is still there
    """
    found = False
    for _ in range(_MOST):
        if tools.run(tool, ('-w', '-D', 'OUTPUT') + _RULE).code != 0:
            break
        found = True
    if tools.run(tool, ('-w', '-C', 'OUTPUT') + _RULE).code == 0:
        raise tools.Failed('%s cannot remove the rule' % tool.path)
    return found
