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

"""Undoing what a journal says, by whoever is there to do it.

Each part can be done twice: whoever does it may be killed at any moment, and
somebody else then begins again.
"""

import typing

from osc_ha_router.node import daemon
from osc_ha_router.node import files
from osc_ha_router.node import folder as folders
from osc_ha_router.node import journal as journals
from osc_ha_router.node import namespaces
from osc_ha_router.node import quiet
from osc_ha_router.node import tools

RESTORED = 'restored'
KEPT = 'kept'
NOTHING = 'nothing'

_SENTENCES = {
    RESTORED: 'keepalived.conf was put back',
    KEPT: 'keepalived.conf had been rewritten meanwhile: that version stays',
}


class Trouble(Exception):
    """Something is left; a sentence says what and why."""


def everything(
    traveller: namespaces.Traveller,
    folder: folders.Folder,
    journal: journals.Journal,
) -> typing.List[str]:
    """Undoes all of a journal, the latest change first, and removes it.

    The rule is set when the role is about to leave this node, the file
    changed where it is to come to; both on one node are rare.

    :returns: a sentence for each thing undone
    :raises Trouble: something is left, and the journal with it
    """
    done = []
    trouble = []
    if journal.quiet:
        try:
            if silence(traveller, folder, journal):
                done.append('the rule in ip6tables was removed')
        except (OSError, tools.Failed) as error:
            trouble.append('the rule in ip6tables is left: %s' % error)
    if journal.file is not None:
        try:
            result = file(traveller, folder, journal)
            if result in _SENTENCES:
                done.append(_SENTENCES[result])
        except (OSError, files.Unfit) as error:
            trouble.append('keepalived.conf is left changed: %s' % error)
    try:
        folder.tidy()
        journals.save(folder, journal)
    except OSError as error:
        trouble.append('the journal is left: %s' % error)
    if trouble:
        raise Trouble('; '.join(done + trouble))
    return done


def file(
    traveller: namespaces.Traveller,
    folder: folders.Folder,
    journal: journals.Journal,
) -> str:
    """Puts keepalived.conf back and has keepalived read it.

    Afterwards the journal does not speak of it any more; it is not saved.

    :returns: one of the constants
    :raises Unfit: it is no file any more
    :raises OSError: it cannot be read or written
    """
    change = journal.file
    if change is None:
        return NOTHING
    result = NOTHING
    current = folder.conf()
    if current is not None and current != change.original:
        result = KEPT
        if journals.digest(current) in change.written and folder.replace(
            current, change.original
        ):
            result = RESTORED
    # Whatever the file is: whoever changed it last may have been killed
    # before keepalived was told.
    if current is not None:
        daemon.reload(traveller, journal.namespace, folder)
    journal.file = None
    return result


def silence(
    traveller: namespaces.Traveller,
    folder: folders.Folder,
    journal: journals.Journal,
) -> bool:
    """Removes the rule that holds off multicast reports.

    Afterwards the journal does not speak of it any more; it is not saved.

    :returns: whether there was one
    :raises Failed: it cannot be removed
    :raises OSError: the namespace cannot be entered
    """
    found = False
    space = namespaces.listing().get(journal.namespace)
    if space is not None and space.inode is not None:
        families = daemon.find(traveller, journal.namespace, folder)
        tool = quiet.find(families[0].parent if families else None)
        if tool is None:
            raise tools.Failed('there is no ip6tables')
        try:
            with traveller.inside(space):
                found = quiet.remove(tool)
        except namespaces.Stale:
            # the rule has gone with it
            pass
    journal.quiet = False
    return found
