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

"""What Neutron says, through openstacksdk: the only module that asks.

For one router: one call to find it, then its agents, its ports, its
floating IPs and the list of L3 agents at the same time, then the ports of
its HA network. For all: one call for the list, one for the L3 agents, then
the agents of each router, and its ports and floating IPs for 150 routers at
a time; in lists of ids and not in pages, because a page cannot be followed
when the item that it ended with is deleted meanwhile. Source of the API's behaviour: Neutron's ``db/l3_hamode_db.py`` and
``db/l3_hascheduler_db.py``; note that asking for a router's agents makes
the server rewrite ``ha_state`` of dead and disabled ones.
"""

from osc_ha_router.cloud.client import Cloud

__all__ = ('Cloud',)
