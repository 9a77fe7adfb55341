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

"""What the commands share: settings, options, and how they end."""

import argparse
from collections.abc import Callable
import logging
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router.backends import base as backends
from osc_ha_router.diagnosis import catalogue

if TYPE_CHECKING:
    # brings openstacksdk, which a capture does not need
    from openstack import connection

    from osc_ha_router import cloud

LOG = logging.getLogger(__name__)


def seconds(value: str) -> float:
    """Parse a number of seconds, zero or more."""
    number = float(value)
    if not 0 <= number <= 86400:
        raise argparse.ArgumentTypeError(f'{value} is not 0 to 86400 seconds')
    return number


def bound(value: str) -> float:
    """Parse a bound in seconds, above zero."""
    number = seconds(value)
    if not number:
        raise argparse.ArgumentTypeError('a bound must be above 0 seconds')
    return number


def code(value: str) -> str:
    """Parse the code or name of a finding."""
    entry = catalogue.by_code(value)
    if entry is None:
        raise argparse.ArgumentTypeError(
            f'{value!r} is no finding; see "openstack router ha finding list"'
        )
    return entry.code


def add_reach_options(
    parser: argparse.ArgumentParser, timeout: str = ''
) -> None:
    """Add the options of every command that reaches for nodes.

    :param timeout: what ``--timeout`` bounds, in words, if not everything
    """
    parser.add_argument(
        '--backend', metavar='<name>', help=config.brief('backend')
    )
    parser.add_argument(
        '--timeout',
        metavar='<seconds>',
        type=bound,
        help=config.brief('timeout', timeout),
    )
    parser.add_argument(
        '--probe-timeout',
        metavar='<seconds>',
        type=bound,
        help=config.brief('probe_timeout'),
    )


class Reach:
    """A mixin for commands that reach for the cloud and its nodes."""

    app: Any
    auth_required: bool

    def settings(self, parsed_args: argparse.Namespace) -> config.Settings:
        """Return the settings, the command's own options first.

        :raises ConfigError: for a value that cannot be used
        """
        options = {
            setting.name: getattr(
                self.app.options, 'os_router_ha_' + setting.name, None
            )
            for setting in config.fields()
        }
        for name in ('backend', 'timeout', 'probe_timeout'):
            if getattr(parsed_args, name) is not None:
                options[name] = getattr(parsed_args, name)
        configuration = self.app.client_manager.get_configuration()
        return config.load(options, configuration.get('router_ha'))

    def cloud(
        self,
        timeout: float,
        stop: interruption.Interruption | None = None,
    ) -> engine.Source:
        """Sign on, and return what Neutron says.

        :param timeout: bound for signing on, and for one call of Neutron
        :param stop: ends the waiting
        :raises CloudUnreachable: Keystone does not answer in time
        :raises KeyboardInterrupt: nobody waits for it
        """
        self.auth_required = True
        stop = stop or interruption.Never()
        if self._asks_for_password():
            # by way of the terminal, which has to be left as it was
            with stop.waiting():
                self.app.prepare_to_run_command(self)
        else:
            try:
                stop.call(
                    lambda: self.app.prepare_to_run_command(self),
                    backends.Deadline.after(timeout),
                )
            except TimeoutError:
                raise errors.CloudUnreachable(
                    f'Signing on took longer than {timeout:g} s'
                ) from None
        source: cloud.Cloud = self.app.client_manager.router_ha
        source.bound(timeout)
        return source

    def _asks_for_password(self) -> bool:
        configured = self.app.cloud.config
        kind = str(configured.get('auth_type') or '')
        given = (configured.get('auth') or {}).get('password')
        return kind.endswith('password') and not given

    def connect(self) -> 'connection.Connection':
        """Return the SDK's connection, after ``cloud``."""
        conn: connection.Connection = self.app.client_manager.sdk_connection
        return conn


def guarded(run: Callable[[], int]) -> int:
    """Run a command, turning our own errors into message and exit code."""
    try:
        return run()
    except errors.Error as exc:
        LOG.error(str(exc))
        return exc.exit_code
