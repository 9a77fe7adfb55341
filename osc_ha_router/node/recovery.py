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

"""What somebody who was killed has left of a router: telling, undoing it."""

import os
import time
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import folder as folders
from osc_ha_router.node import journal as journals
from osc_ha_router.node import lock
from osc_ha_router.node import namespaces
from osc_ha_router.node import protocol
from osc_ha_router.node import undo

_ME = 'a check that undoes what was left'


class Left(Exception):
    """Something is left; a sentence says what and why."""


class Settled(typing.NamedTuple):
    """What was undone, and whose it was."""

    by: str
    since: str
    sentences: typing.List[str]
    #: as in a journal: what was not undone, because only Neutron can
    owed: typing.Optional[str]


def now() -> str:
    """The time, UTC, in ISO 8601 with seconds."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def told(owner: protocol.Json) -> typing.Tuple[str, str]:
    """By whom and since when, from what is in a lock."""
    by, since = owner.get('by'), owner.get('since')
    return (
        by if isinstance(by, str) else 'somebody',
        since if isinstance(since, str) else 'just now',
    )


def noted(owner: protocol.Json) -> typing.List[str]:
    """The folder that whoever had a lock has noted in it, if there is one.

    In an unusual place a folder can only be found through what runs there,
    which may have ended.
    """
    path = owner.get('conf')
    if isinstance(path, str) and path.startswith('/'):
        return [os.path.dirname(path)]
    return []


def state(
    router_id: str, paths: typing.Sequence[str]
) -> typing.Optional[protocol.Json]:
    """What is under way or left of a router, as ``Errand``; None: nothing.

    :param paths: folders in which its journal may be
    """
    owner = lock.holder(router_id)
    if owner is not None:
        by, since = told(owner)
        message = 'a change by %s is under way since %s' % (by, since)
        return _report(by, since, 'under-way', message)
    paths = noted(lock.trace(router_id) or {}) + list(paths)
    for folder in _with(journals.NAME, paths):
        try:
            journal = journals.load(folder, router_id)
        except journals.Garbled as error:
            return _report(None, None, 'left', _garbled(folder, error))
        finally:
            folder.close()
        if journal is not None:
            return _cut_off(
                journal.by, journal.since, 'left', [], journal.owed
            )
    return None


def recover(
    traveller: namespaces.Traveller,
    router_id: str,
    paths: typing.Sequence[str],
) -> typing.Optional[protocol.Json]:
    """Undoes what is left of a router, and tells it as ``Errand``.

    :param paths: folders in which its journal may be
    :returns: None: there was nothing
    """
    before = state(router_id, paths)
    trace = lock.trace(router_id)
    if before is None and trace is None:
        return None
    if before is not None and before['state'] == 'under-way':
        return before
    # what was noted stays noted, should this be killed as well
    owner = dict(trace or {}, by=_ME, since=now())
    try:
        held = lock.Lock(router_id, owner, 0)
    except lock.Locked:
        return state(router_id, paths)
    except (OSError, errors.NoRights) as error:
        return before and dict(before, message=str(error))
    try:
        settled = settle(traveller, router_id, noted(owner) + list(paths))
    except Left as error:
        return before and dict(before, message=str(error))
    finally:
        held.remove()
        held.close()
    if settled is None:
        # it was done by somebody else meanwhile
        return None
    return _cut_off(
        settled.by,
        settled.since,
        'undone' if settled.owed is None else 'left',
        settled.sentences,
        settled.owed,
    )


def first(
    traveller: namespaces.Traveller,
    router_id: str,
    paths: typing.Sequence[str],
) -> Settled:
    """Does what ``settle`` does, for whoever begins a change.

    :raises ProgramError: ``left``
    """
    try:
        found = settle(traveller, router_id, paths)
    except Left as error:
        raise errors.ProgramError(errors.LEFT, str(error)) from None
    return found or Settled('', '', [], None)


def settle(
    traveller: namespaces.Traveller,
    router_id: str,
    paths: typing.Sequence[str],
) -> typing.Optional[Settled]:
    """Undoes what is left of a router, whose lock the caller has.

    :param paths: folders in which its journal may be
    :returns: None: there was nothing
    :raises Left: it cannot be undone
    """
    found = None
    for folder in _with(journals.NAME, paths):
        try:
            journal = journals.load(folder, router_id)
            if journal is not None:
                sentences = undo.everything(traveller, folder, journal)
                found = Settled(
                    journal.by, journal.since, sentences, journal.owed
                )
        except journals.Garbled as error:
            raise Left(_garbled(folder, error)) from None
        except undo.Trouble as error:
            raise Left(str(error)) from None
        finally:
            folder.close()
    for folder in _with(folders.NEW, paths):
        # killed while the journal itself was written: nothing was changed
        try:
            folder.tidy()
        except OSError as error:
            raise Left(str(error)) from None
        finally:
            folder.close()
    return found


def _with(
    name: str, paths: typing.Iterable[str]
) -> typing.Iterator[folders.Folder]:
    """The folders that hold a file of this name."""
    for path in dict.fromkeys(paths):
        if os.path.lexists('%s/%s' % (path, name)):
            try:
                folder = folders.Folder(path)
            except OSError:
                # the router has just been deleted
                continue
            yield folder


def _garbled(folder: folders.Folder, error: Exception) -> str:
    return (
        '%s/%s cannot be trusted (%s): compare keepalived.conf beside it with '
        'the other nodes, then remove it' % (folder.path, journals.NAME, error)
    )


def _cut_off(
    by: str,
    since: str,
    state: str,
    undone: typing.Sequence[str],
    owed: typing.Optional[str],
) -> protocol.Json:
    message = 'a change by %s, begun %s, was cut off' % (by, since)
    more = list(undone)
    if owed is not None:
        more.append(
            'Neutron was to take the router off the L3 agent on %s, and has '
            'to give it back' % owed
        )
    elif state == 'undone' and not more:
        more.append('nothing was left to undo')
    if more:
        message += ': ' + '; '.join(more)
    return dict(_report(by, since, state, message), owed=owed)


def _report(
    by: typing.Optional[str],
    since: typing.Optional[str],
    state: str,
    message: str,
) -> protocol.Json:
    return {
        'by': by,
        'since': since,
        'state': state,
        'message': message,
        'owed': None,
    }
