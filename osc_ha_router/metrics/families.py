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

"""Every metric there is."""

import dataclasses

Labels = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Family:
    """A metric: what it says, and what tells its series apart."""

    help: str
    labels: Labels = ()
    type: str = 'gauge'


_FINDING = ('router_id', 'host', 'code', 'name', 'severity')

#: every metric there is; rules, dashboard and documentation name no other
FAMILIES = {
    # of the whole
    'router_ha_routers': Family(
        'HA routers that were checked, by health. All values of health are '
        'always there.',
        ('health',),
    ),
    # of a router
    'router_ha_router_info': Family(
        'Always 1: what an HA router is called, and whose it is.',
        ('router_id', 'router_name', 'project_id'),
    ),
    'router_ha_router_health': Family(
        'Always 1: the worst severity of the findings that count.',
        ('router_id', 'health'),
    ),
    'router_ha_router_replicas': Family(
        'Replicas of the router, by what they were seen to be. Active, '
        'standby and unknown are always there, stale, fault and absent if '
        'there is one. Not there for a router that is disabled or deleted, '
        'of which nothing is to be expected.',
        ('router_id', 'observed'),
    ),
    'router_ha_findings': Family(
        'Findings that count, by router, node and code. host is empty for '
        'those of the router as a whole.',
        _FINDING,
    ),
    'router_ha_ignored_findings': Family(
        'Findings that do not count, because they are to be ignored.', _FINDING
    ),
    # of a replica
    'router_ha_replica_active': Family(
        'Whether the replica is active, as seen: 1 or 0. Not there for one '
        'that was not looked at.',
        ('router_id', 'host'),
    ),
    'router_ha_replica_state': Family(
        'Always 1: what the replica was seen to be, and what Neutron says '
        'that it is: none where Neutron does not have the router, unknown '
        'where it does not say.',
        ('router_id', 'host', 'observed', 'reported'),
    ),
    # of a node
    'router_ha_probe_success': Family(
        'Whether the node could be looked at: 1 or 0.', ('host',)
    ),
    'router_ha_probe_failed': Family(
        'Always 1: of what kind the failure is, where the node could not be '
        'looked at.',
        ('host', 'kind'),
    ),
    'router_ha_probe_duration_seconds': Family(
        'How long the look at the node took.', ('host',)
    ),
    'router_ha_last_look_timestamp_seconds': Family(
        'When the node was last looked at with success.', ('host',)
    ),
    # of the check
    'router_ha_check_success': Family(
        'Whether the last check came to an end: 1 or 0. What it found does '
        'not matter.'
    ),
    'router_ha_check_duration_seconds': Family('How long the check took.'),
    'router_ha_last_check_timestamp_seconds': Family(
        'When the check began that the other metrics are of.'
    ),
    # of the sweep of a node agent
    'router_ha_check_interval_seconds': Family(
        'From one check to the next; 0: this agent checks nothing by itself.'
    ),
    'router_ha_checks_total': Family(
        'Checks that were made, by result: success or error.',
        ('result',),
        'counter',
    ),
}
