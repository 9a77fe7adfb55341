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


"""What stands for what there is not: no look, no verdict, no router."""

from collections.abc import Collection
import dataclasses

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: kind of the failure of a host that nobody waits for any more
INTERRUPTED = 'interrupted'


def unseen(host: str) -> view.HostView:
    """Return the view of a host that nobody waits for any more."""
    return view.HostView(
        host,
        view.Failure(
            INTERRUPTED,
            f'{host} was not looked at to the end, as this was interrupted',
            'Run the command again.',
        ),
    )


def deleted(id_: str) -> claim.Router:
    """Return a router that Neutron does not have."""
    return dataclasses.replace(
        claim.untold(id_, ''),
        agents=(),
        ports=(),
        floating_ips=(),
        peers=(),
        gaps=(),
        deleted=True,
    )


def without_views(found: report.Report) -> report.Report:
    """Return a report without what it rests on."""
    return dataclasses.replace(
        found,
        replicas=tuple(
            dataclasses.replace(replica, view=None)
            for replica in found.replicas
        ),
    )


def unjudged(router: claim.Router, ignore: Collection[str]) -> report.Report:
    """Return what there is to say without a verdict: nothing."""
    return verdict.conclude(
        report.Report(router, report.Severity.OK, (), ()),
        [
            catalogue.finding(
                'not-looked-at',
                None,
                what='there was no time for a verdict, as this was '
                'interrupted',
                advice='run the command again',
            )
        ],
        ignore,
    )
