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


"""With what a question is answered."""

from collections.abc import Callable
import dataclasses
import time
from typing import TYPE_CHECKING

from osc_ha_router import interruption
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim

if TYPE_CHECKING:
    from osc_ha_router import engine


@dataclasses.dataclass(frozen=True)
class Means:
    """With what a question is answered; see ``engine.Engine``."""

    source: 'engine.Source'
    backend: base.Backend
    notify: Callable[[str], None] = lambda message: None
    #: told in a sentence what is missing in the answer
    warn: Callable[[str], None] = lambda message: None
    sleep: Callable[[float], None] = time.sleep
    judge: 'engine.Judge' = verdict.judge
    service: 'engine.Service | None' = None
    #: told what is done, and how much of how much, in any thread
    progress: Callable[[str, int, int], None] = lambda what, done, total: None
    stop: interruption.Interruption = dataclasses.field(
        default_factory=interruption.Never
    )


class Listed:
    """Claims that are all there, in the place of a flow of them."""

    blind = False
    known = None

    def __init__(self, claims: claim.Claims) -> None:
        self.hosts = claims.hosts
        self.alive = claims.alive
        self._routers = {
            router.id: router
            for router in sorted(
                claims.routers, key=lambda said: (said.name, said.id)
            )
        }

    @property
    def ids(self) -> tuple[str, ...]:
        """The routers, ordered by name."""
        return tuple(self._routers)

    @property
    def names(self) -> dict[str, str]:
        """Id -> name of each."""
        return {id_: said.name for id_, said in self._routers.items()}

    def router(self, id_: str, until: base.Deadline) -> claim.Router | None:
        """Return one."""
        return self._routers[id_]

    def places(self) -> set[str]:
        """Return where they are hosted, as far as that is known."""
        routers = self._routers.values()
        return {agent.host for r in routers for agent in r.agents or ()}

    def placed(self) -> bool:
        """Whether that is known of all."""
        return all(r.agents is not None for r in self._routers.values())
