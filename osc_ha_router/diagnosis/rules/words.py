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

"""How summaries put lists into words."""

from collections.abc import Iterable

from osc_ha_router.model import report

#: what a line can take; the rest is counted
_SHOWN = 5


def some(items: Iterable[str]) -> str:
    """Return the first few in words, and how many more there are."""
    ordered = sorted(items)
    more = len(ordered) - _SHOWN
    shown = ', '.join(ordered[:_SHOWN])
    return f'{shown} and {more} more' if more > 0 else shown


def hosts(replicas: Iterable[report.Replica]) -> str:
    """Return the replicas' hosts in words."""
    return ', '.join(replica.host for replica in replicas)


def states(replicas: Iterable[report.Replica]) -> str:
    """Return each replica's host and observed state in words."""
    return ', '.join(f'{r.host} is {r.observed}' for r in replicas)
