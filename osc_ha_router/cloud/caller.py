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
"""Who asks, and whether Neutron shows that caller all routers."""

from collections.abc import Iterable
import dataclasses

from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import base

from osc_ha_router.cloud import api as neutron

#: Neutron's own name for whoever may see everything
_ADMIN = 'admin'


@dataclasses.dataclass(frozen=True)
class Caller:
    """A caller, as far as the token tells."""

    #: None: not known, or the token is for no project
    project_id: str | None = None
    roles: frozenset[str] = frozenset()

    def sees_all(self, routers: Iterable[neutron.Json]) -> bool:
        """Whether these must be all routers that there are.

        To see the L3 agents proves nothing: a cloud can show them to others
        than administrators, who see their own project's routers only. Nor
        does the role service, which Neutron's policy of routers leaves out.

        :param routers: all that Neutron lists
        """
        if _ADMIN in self.roles:
            return True
        projects = {router.get('project_id') for router in routers}
        others = projects - {self.project_id, None, ''}
        # one of them may be the caller's, if nobody knows which that is
        return len(others) > (self.project_id is None)


def of(session: ksa_session.Session) -> Caller:
    """Return who asks in a session.

    :raises ClientException: there is no token to be had
    """
    auth = session.auth
    if not isinstance(auth, base.BaseIdentityPlugin):
        # without Keystone there are neither projects nor roles
        return Caller()
    access = auth.get_access(session)
    return Caller(
        access.project_id,
        frozenset(role.lower() for role in access.role_names or ()),
    )
