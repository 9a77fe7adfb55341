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
"""The real command in a process of its own, which can be interrupted.

Run as a program, with the arguments of ``openstack``: of three nodes the last
one never answers. Once it is waited for, there is the file that ``$WAITING``
names. Without it all of them answer, and one of very many routers is broken.
"""

import os
import pathlib
import sys
import threading

import fixtures
from openstackclient import shell

from osc_ha_router.backends import registry
from tests.unit import fakes
from tests.unit.commands import base
from tests.unit.commands import test_sweep
from tests.unit.scene import Scene


class Command(base.CloudTest):
    """Not a test, but the surroundings of one."""

    quiet = False
    #: what the command ended with
    exit_code = 1

    def runTest(self):
        healthy = Scene.of('healthy')
        waiting = os.environ.get('WAITING')
        if waiting is not None:
            scenes = test_sweep.many(healthy, healthy)
        else:
            broken = healthy.without_processes(healthy.standbys[0], 'monitor')
            scenes = test_sweep.many(*[healthy] * test_sweep.MANY, broken)
        for scene in scenes:
            self.add(scene)
        backend = fakes.Backend(scenes)
        answer = backend.probe

        def probe(requests, deadline):
            *views, last = answer(requests, deadline)
            yield from views
            if waiting is not None:
                pathlib.Path(waiting).touch()
                threading.Event().wait(60)
            yield last

        backend.probe = probe
        self.useFixture(
            fixtures.MockPatchObject(
                registry, 'load', lambda settings, connect: backend
            )
        )
        self.exit_code = shell.main(sys.argv[1:])


if __name__ == '__main__':
    command = Command()
    command.run()
    sys.exit(command.exit_code)
