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


"""The way to a node program over ssh."""

from osc_ha_router.backends import child
from osc_ha_router.backends import command as commands
from osc_ha_router.backends import failures
from osc_ha_router.backends import symptoms


class Login:
    """One ssh process, as a ``channel.Way``.

    :param command: how to reach the host
    """

    def __init__(self, command: commands.Command) -> None:
        self._command = command
        self._child: child.Child

    def start(self, line_limit: int) -> child.Child:
        """Start ssh and send what comes before the first request.

        :raises Broken: ``ssh-missing``, ``local``
        """
        try:
            self._child = child.Child(self._command.argv, line_limit)
        except FileNotFoundError:
            raise failures.Broken('ssh-missing') from None
        except OSError as exc:
            raise failures.Broken('local', str(exc)) from None
        self._child.send(self._command.preamble)
        return self._child

    def late(self) -> failures.Broken:
        """Return why the program has not said a word in time."""
        if symptoms.logged_in(self._stderr()):
            return failures.Broken('timeout', 'silence after the login')
        return failures.Broken('connect-timeout')

    def epitaph(self, noise: str, greeted: bool) -> failures.Broken:
        """Return why ssh has ended."""
        if self._child.code is None:
            raise RuntimeError('ssh has not ended')
        return symptoms.explain(
            symptoms.Evidence(
                code=self._child.code,
                stderr=self._stderr(),
                noise=noise,
                greeted=greeted,
                become=self._command.become,
                program=self._command.program,
                shipped=self._command.shipped,
            )
        )

    def _stderr(self) -> str:
        return self._child.stderr.decode('utf-8', 'backslashreplace')
