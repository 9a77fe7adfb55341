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

"""Taking away devices and a namespace, as Neutron's agent does it."""

import ctypes
import errno
import os
import time
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import ovsdb
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import wanted
from osc_ha_router.node import writes

#: seconds for Open vSwitch to take a device away
_PATIENCE = 5.0
_PAUSE = 0.05
_MNT_DETACH = 2


def devices(
    traveller: namespaces.Traveller,
    space: namespaces.Namespace,
    folder: typing.Optional[str],
) -> typing.List[str]:
    """Takes the devices away that Neutron has plugged into a namespace.

    A port of Open vSwitch is taken off its bridge; the device goes with it.
    In a namespace that is deleted it would be lost, and the port would stay.

    :param folder: of Open vSwitch's sockets, None: it is not there
    :returns: their names
    :raises ProgramError: ``left``
    """
    with traveller.inside(space):
        channel = netlink.Socket()
    with channel:
        names = _plugged(channel)
        if folder is not None and names:
            try:
                with ovsdb.Database(os.path.join(folder, 'db.sock')) as found:
                    ours = [name for name in names if _del_port(found, name)]
            except ovsdb.OvsdbError as error:
                raise errors.ProgramError(
                    errors.LEFT, 'Open vSwitch: %s' % error
                ) from None
            _await(channel, ours)
        for name, index in _plugged(channel).items():
            try:
                writes.delete_link(channel, index)
            except netlink.NetlinkError as error:
                raise errors.ProgramError(
                    errors.LEFT, '%s cannot be removed: %s' % (name, error)
                ) from None
    return sorted(names)


def namespace(space: namespaces.Namespace) -> None:
    """Deletes a namespace's name, and with it the namespace if it is empty.

    :raises ProgramError: ``left``
    """
    try:
        if _LIBC.umount2(space.path.encode(), _MNT_DETACH) != 0:
            number = ctypes.get_errno()
            # a name without a namespace behind it
            if number != errno.EINVAL:
                raise OSError(number, os.strerror(number))
        os.unlink(space.path)
    except OSError as error:
        raise errors.ProgramError(
            errors.LEFT, '%s cannot be removed: %s' % (space.path, error)
        ) from None


def _plugged(channel: netlink.Socket) -> typing.Dict[str, int]:
    return {
        link['name']: link['index']
        for link in rtnetlink.links(channel)
        if wanted.DEVICE.fullmatch(link['name'])
    }


def _del_port(database: ovsdb.Database, name: str) -> bool:
    """Takes a port off its bridge; returns whether there was one."""
    (found,) = database.transact(
        {
            'op': 'select',
            'table': 'Port',
            'where': ovsdb.where(name=name),
            'columns': ['_uuid'],
        }
    )
    rows = ovsdb.rows(found, '_uuid')
    for row in rows:
        port = row['_uuid']
        database.transact(
            {
                'op': 'mutate',
                'table': 'Bridge',
                'where': [['ports', 'includes', port]],
                'mutations': [['ports', 'delete', port]],
            }
        )
    return bool(rows)


def _await(channel: netlink.Socket, gone: typing.Iterable[str]) -> None:
    until = time.monotonic() + _PATIENCE
    while set(gone) & set(_plugged(channel)):
        if time.monotonic() > until:
            # deleting the device itself will show why
            return
        time.sleep(_PAUSE)


def _libc() -> typing.Any:
    found = ctypes.CDLL(None, use_errno=True)
    found.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
    found.umount2.restype = ctypes.c_int
    return found


_LIBC = _libc()
