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

"""Routers in the course of time, watched without waiting."""

import argparse
import io
import json
from typing import Any

from osc_ha_router import errors
from osc_ha_router.commands import check
from osc_ha_router.commands import sentences
from osc_ha_router.commands import watch
from osc_ha_router.model import report
from tests.unit import published
from tests.unit import quiet
from tests.unit.scene import Scene
from tests.unit.test_engine import renamed

#: what there is to see for a while: routers, or an error
Step = list[Scene | report.Report] | BaseException


class World:
    """What can be seen; it goes on whenever the watch waits."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        #: the names of each look
        self.asked: list[tuple[str, ...]] = []
        #: how long each wait was
        self.waited: list[float] = []

    def look(self, names: tuple[str, ...]) -> list[report.Report]:
        self.asked.append(names)
        step = self._steps[0]
        if isinstance(step, BaseException):
            raise step
        found = [s.judge() if isinstance(s, Scene) else s for s in step]
        named = [
            item
            for item in found
            if not names or {item.router.id, item.router.name} & set(names)
        ]
        if len(named) < len(names):
            raise errors.RouterNotFound('No router with this name or ID')
        return named

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        del self._steps[0]
        if not self._steps:
            raise KeyboardInterrupt


class WatchTest(quiet.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.healthy = renamed(Scene.of('healthy'), 1)
        self.second = renamed(Scene.of('healthy'), 2)
        self.router_id = self.healthy.router.id
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.broken = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        )
        self.warning = self.healthy.without_processes(self.standby, 'monitor')

    def watch(self, *steps: Step, **options: Any) -> tuple[int, list[str]]:
        """Watch until there is no more to see; then there is Ctrl-C.

        :return: exit code and what was printed, without the time
        """
        code, lines = self._run(*steps, **options)
        moment = len('2026-11-22 23:05:35 ')
        return code, [
            line if line.startswith(' ') else line[moment:] for line in lines
        ]

    def objects(
        self, *steps: Step, **options: Any
    ) -> tuple[int, list[dict[str, Any]]]:
        """Do the same in JSON."""
        code, lines = self._run(*steps, formatter='json', **options)
        found = [json.loads(line) for line in lines]
        for item in found:
            published.match('watch', item)
        return code, found

    def _run(self, *steps: Step, **options: Any) -> tuple[int, list[str]]:
        self.world = World(*steps)
        self.stream = io.StringIO()
        parsed_args = argparse.Namespace(
            **{
                'routers': [],
                'watch': 30.0,
                'capture': None,
                'formatter': 'table',
                'columns': [],
                'unhealthy': False,
                'fail_on': 'warning',
            }
            | options
        )
        code = watch.run(
            parsed_args,
            self.stream,
            self.world.look,
            lambda found: check.exit_code(found, parsed_args.fail_on),
            sentences.sentence,
            sleep=self.world.sleep,
        )
        return code, self.stream.getvalue().splitlines()

    def broken_second(self) -> Scene:
        return self.second.without_address(
            self.active, self.second.floating_ip
        )
