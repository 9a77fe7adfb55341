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

"""What the agent's parts stand on: Neutron, callers, other agents."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import time
from typing import Any

from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_context import context
from oslo_policy import policy

from osc_ha_router import errors
from osc_ha_router.agent import options
from osc_ha_router.agent import peers
from osc_ha_router.agent import policies
from osc_ha_router.model import claim
from osc_ha_router.sweep import means
from tests.unit.scene import Scene

OURS = 'a' * 32
THEIRS = 'b' * 32

DOWN = errors.CloudUnreachable('http://controller:9696 does not answer')


class Flow(means.Listed):
    """All routers at once, as if they came one by one."""

    def __init__(self, claims: claim.Claims) -> None:
        super().__init__(claims)
        self.known = frozenset(self.ids)  # type: ignore[assignment]


class Neutron:
    """Neutron, of which is known what it was asked.

    :param scenes: what there is; each is of the project that it names
    """

    def __init__(self, *scenes: Scene) -> None:
        self.routers = [scene.router for scene in scenes]
        #: where it says that L3 agents are
        self.there: tuple[str, ...] | None = tuple(
            sorted({h.host for scene in scenes for h in scene.hosts})
        )
        #: what it raises instead of an answer
        self.down: Exception | None = None
        #: routers of which it says so
        self.foreign: dict[str, Exception] = {}
        self.calls: list[tuple[Any, ...]] = []

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.down is not None:
            raise self.down

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        self._called('owners', *ids)
        return {r.id: r.project_id for r in self.routers if r.id in ids}

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        self._called('claims', tuple(names), project, host)
        found = [
            router
            for router in self.routers
            if project in (None, router.project_id)
        ]
        if names:
            found = [self._find(name, found) for name in names]
        return claim.Claims(tuple(found), self.there)

    def _find(self, name: str, found: list[claim.Router]) -> claim.Router:
        if name in self.foreign:
            raise self.foreign[name]
        # an id that nobody has is taken for a name, as Neutron's client does
        for attribute in ('id', 'name'):
            for router in found:
                if getattr(router, attribute) == name:
                    return router
        raise errors.RouterNotFound(f'No router with a name or ID of {name}')

    def hosts(self) -> tuple[str, ...] | None:
        self._called('hosts')
        return self.there

    @contextlib.contextmanager
    def flow(
        self,
        *,
        project: str | None = None,
        host: str | None = None,
        tell: Any = None,
    ) -> Iterator['Flow']:
        self._called('flow', project, host)
        found = [
            router
            for router in self.routers
            if project in (None, router.project_id)
        ]
        yield Flow(claim.Claims(tuple(found), self.there))

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        self._called('again', *ids)
        return tuple(router for router in self.routers if router.id in ids)


def enforcer(rules: Mapping[str, str] | None = None) -> policy.Enforcer:
    """Return what decides by the policies as they are shipped.

    :param rules: in the place of some of them
    """
    conf = cfg.ConfigOpts()
    conf([], project=options.PROJECT, default_config_files=[])
    found = policies.enforcer(conf)
    if rules:
        found.set_rules(policy.Rules.from_dict(rules), overwrite=False)
    return found


def allows(
    rules: Mapping[str, str] | None = None,
) -> Callable[[str, context.RequestContext, str], bool]:
    """Return the judge of rights that the agent has."""
    found = enforcer(rules)
    return lambda rule, who, project: policies.allows(
        found, rule, who, project
    )


def caller(
    project: str | None = OURS, *roles: str, **changes: Any
) -> context.RequestContext:
    """Return somebody whose token is good."""
    return context.RequestContext(
        user_id='somebody',
        project_id=project,
        roles=list(roles or ('member', 'reader')),
        auth_token='token-of-somebody',
        overwrite=False,
        **changes,
    )


def admin() -> context.RequestContext:
    """Return an administrator of the cloud."""
    return caller('c' * 32, 'admin', 'member', 'reader')


class SignedOn:
    """A session at Keystone; counts its tokens."""

    def __init__(self) -> None:
        self.tokens = 1
        self.down = False
        #: how often it was asked
        self.asked = 0
        #: seconds until it answers
        self.slow = 0.0

    def get_token(self) -> str:
        self.asked += 1
        time.sleep(self.slow)
        if self.down:
            raise exceptions.ConnectFailure('Keystone does not answer')
        return f'own-{self.tokens}'

    def invalidate(self) -> bool:
        self.tokens += 1
        return True


class Peers(peers.Peers):
    """Other agents, wherever they are.

    :param urls: host -> where its agent answers
    """

    def __init__(
        self, urls: Mapping[str, str], own: Any = None, **settings: Any
    ) -> None:
        self.own = own or SignedOn()
        #: hosts that are none of the nodes
        self.strangers: set[str] = set()
        super().__init__(peers.Settings(**settings), self.own, self._is_node)
        self._urls = urls

    def _is_node(self, host: str) -> bool:
        return host not in self.strangers

    def url(self, host: str) -> str:
        return self._urls.get(host) or super().url(host)


def of_project(scene: Scene, project: str, id_: str = '') -> Scene:
    """Return a scene whose router is of this project."""
    changes = {'project_id': project} | ({'id': id_} if id_ else {})
    if not id_:
        return scene.with_router(**changes)
    old = scene.router.id
    hosts = tuple(
        dataclasses.replace(
            shown,
            views=tuple(
                dataclasses.replace(
                    seen,
                    router_id=id_,
                    namespace=seen.namespace
                    and seen.namespace.replace(old, id_),
                )
                for seen in shown.views
            ),
            residents=tuple(
                dataclasses.replace(resident, router_id=id_)
                for resident in shown.residents or ()
            ),
        )
        for shown in scene.hosts
    )
    return dataclasses.replace(scene, hosts=hosts).with_router(**changes)
