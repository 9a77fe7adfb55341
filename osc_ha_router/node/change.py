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

"""The operations that change a router on this node for a while.

Each takes the fields of its request, among them ``router``, and raises
BadRequest where one is not what it must be, and Gone when nobody reads the
replies. All but ``begin`` and ``stop`` belong to an errand that has begun:
without one they raise ProgramError ``no-errand``.
"""

import signal

from osc_ha_router.node import blocks
from osc_ha_router.node import conf as confs
from osc_ha_router.node import daemon
from osc_ha_router.node import errand
from osc_ha_router.node import errors
from osc_ha_router.node import hold
from osc_ha_router.node import journal
from osc_ha_router.node import protocol
from osc_ha_router.node import quiet as quieting
from osc_ha_router.node import replies as replying
from osc_ha_router.node import tools

#: characters
_BY = 120
#: seconds
_LONGEST = 900
#: what is known where there is nothing of the router
_NOTHING = {
    'keepalived': [],
    'sha256': None,
    'priority': None,
    'nopreempt': None,
    'advert_int': None,
    'namespace': None,
}  # type: protocol.Json
#: the highest but one: 255 belongs to who owns the address
_HIGHEST = 254


def begin(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Takes the router's lock; what a dead predecessor left is undone.

    Fields: ``by`` (who it is, for those who are refused meanwhile),
    ``seconds`` (what is left then is undone, and the conversation ends),
    ``bare`` (the lock will do where there is nothing of the router; then no
    more than ``undone`` is known. So will a keepalived.conf that cannot be
    used; then nothing of it is).

    :returns: ``undone``, and what the router is like here
    :raises ProgramError: ``locked``, ``absent``, ``unfit``, ``left``
    :raises NoRights: this process may not do it
    """
    router_id = protocol.router(fields)
    by = protocol.text(fields, 'by', _BY)
    seconds = protocol.seconds(fields, 'seconds', _LONGEST)
    if seconds < 1:
        raise errors.BadRequest('"seconds" must be at least 1')
    bare = protocol.flag(fields, 'bare')
    begun = errands.begin(router_id, by, seconds, bare)
    if isinstance(begun, hold.Hold):
        return dict(_NOTHING, undone=begun.undone)
    try:
        return _found(begun, bare)
    except BaseException:
        errands.end(router_id)
        raise


def _found(begun: errand.Errand, bare: bool) -> protocol.Json:
    try:
        sha256, conf = journal.digest(begun.raw()), begun.conf()
    except errors.ProgramError as error:
        if not bare or error.kind not in (errors.ABSENT, errors.UNFIT):
            raise
        sha256, conf = None, _NOTHING
    # the parent first
    pids = [
        pid for family in begun.families() for pid in family if pid is not None
    ]
    return {
        'undone': begun.undone,
        'keepalived': pids,
        'sha256': sha256,
        'priority': conf['priority'],
        'nopreempt': conf['nopreempt'],
        'advert_int': conf['advert_int'],
        'namespace': begun.namespace.name,
    }


def promote(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Gives keepalived another priority, until the errand is undone.

    Fields: ``priority``, ``preempt`` (leave ``nopreempt`` out), ``sha256``
    (of the keepalived.conf that is meant).

    :returns: ``sha256`` of the new file
    :raises ProgramError: ``changed``, ``unfit``, ``absent``,
        ``no-keepalived``
    """
    begun = errands.of(protocol.router(fields))
    priority = protocol.number(fields, 'priority', 1, _HIGHEST)
    preempt = protocol.flag(fields, 'preempt')
    meant = protocol.digest(fields, 'sha256')
    raw = begun.raw()
    if journal.digest(raw) != meant:
        raise errors.ProgramError(
            errors.CHANGED, '%s has been rewritten' % begun.conf_path
        )
    begun.keepalived()
    try:
        made = confs.promoted(raw, priority, preempt)
    except blocks.ConfError as error:
        raise errors.ProgramError(
            errors.UNFIT, '%s: %s' % (begun.conf_path, error)
        ) from None
    begun.write(raw, made)
    return {'sha256': journal.digest(made)}


def owe(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Notes that Neutron has to give the router back to an L3 agent.

    Written down before it is taken off there: whoever is killed in between
    cannot give it back. The note stays when the errand ends, until it is
    taken back.

    Fields: ``agent``: the agent's host; null: to none any more.
    """
    begun = errands.of(protocol.router(fields))
    if 'agent' not in fields:
        raise errors.BadRequest('"agent" is missing')
    host = None
    if fields['agent'] is not None:
        host = protocol.text(fields, 'agent', _BY)
    begun.owe(host)
    return {}


def quiet(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Holds off the router's multicast reports.

    :returns: ``quiet``, and in ``reason`` why not
    :raises ProgramError: ``absent``
    """
    begun = errands.of(protocol.router(fields))
    families = begun.families()
    tool = quieting.find(families[0].parent if families else None)
    if tool is None:
        return {'quiet': False, 'reason': 'there is no ip6tables'}
    begun.record({'kind': 'quiet'})
    try:
        with begun.inside():
            quieting.add(tool)
    except tools.Failed as error:
        return {'quiet': False, 'reason': str(error)}
    return {'quiet': True, 'reason': None}


def terminate(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Ends keepalived the polite way: it resigns, and removes its addresses.

    :returns: ``pid`` of the one that was asked to end
    :raises ProgramError: ``no-keepalived``
    """
    begun = errands.of(protocol.router(fields))
    parent, _ = begun.keepalived()
    daemon.send(parent, signal.SIGTERM)
    return {'pid': parent}


def finish(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Undoes what is left, and gives the lock back.

    :returns: ``undone``, in sentences
    :raises ProgramError: ``left``, something cannot be undone
    """
    return {'undone': errands.end(protocol.router(fields))}


def stop(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Nothing: that it was asked for ends an operation that waits."""
    return {}
