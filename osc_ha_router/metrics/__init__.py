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

"""What a check found, as metrics for Prometheus.

The same for the node agent's ``/metrics`` and for ``check --textfile``. All
of it is about the whole cloud, never about the exporter's own node alone,
so that one exporter is enough for a rule, and each of several will do.

A router has five series, two more for each replica, and one for each kind of
finding on each node. What names and texts there are besides ids is in one
series only, so that others go on when a router gets another name.
"""

from osc_ha_router.metrics.families import FAMILIES
from osc_ha_router.metrics.found import Found
from osc_ha_router.metrics.found import gather
from osc_ha_router.metrics.page import CONTENT_TYPE
from osc_ha_router.metrics.page import Metrics

__all__ = ('CONTENT_TYPE', 'FAMILIES', 'Found', 'Metrics', 'gather')
