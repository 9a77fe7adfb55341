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

"""Making folders visible on a node that are closed to its users."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.spaces import Space

_OPENED = "/run/lab/opened"


def reveal(node: Space, folders: Iterable[Path]) -> None:
    """Let every user of a node get to these folders of the machine.

    They stay where they are. What stands in the way, such as a closed home
    directory, is covered on the node by an empty folder in which only they
    are. What an earlier call did is undone first. LabError when a folder is
    closed itself.
    """
    for old in node.run(["cat", _OPENED], check=False).stdout.splitlines():
        # Whoever is in there stays in there.
        node.run(["umount", "--recursive", "--lazy", old], check=False)
    node.run(["tee", _OPENED], input="")
    covers: dict[Path, list[Path]] = {}
    for folder in _outermost(folders):
        obstacle = _obstacle(folder)
        if obstacle == folder:
            raise LabError(
                f"{folder} is closed to other users; the node agent runs as a "
                "user of its own and has to read it"
            )
        if obstacle is not None:
            covers.setdefault(obstacle, []).append(folder)
    for cover, inside in covers.items():
        _cover(node, cover, inside)


def _cover(node: Space, cover: Path, inside: list[Path]) -> None:
    aside = {}
    for number, folder in enumerate(inside):
        aside[folder] = f"/run/lab/aside-{number}"
        node.run(["mkdir", "-p", aside[folder]])
        node.run(["mount", "--rbind", str(folder), aside[folder]])
    with_mode = ["-o", "mode=755", "tmpfs", str(cover)]
    node.run(["mount", "-t", "tmpfs", *with_mode])
    node.run(["tee", "-a", _OPENED], input=f"{cover}\n")
    for folder, place in aside.items():
        node.run(["mkdir", "-p", str(folder)])
        node.run(["mount", "--move", place, str(folder)])
        node.run(["rmdir", place])


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Without those that are inside another one, by their real paths."""
    real = {folder.resolve() for folder in folders}
    return sorted(f for f in real if real.isdisjoint(f.parents))


def _obstacle(folder: Path) -> Path | None:
    """The first folder on the way that not everybody can enter."""
    for step in reversed(folder.parents):
        if not step.stat().st_mode & 0o001:
            return step
    return None if folder.stat().st_mode & 0o005 == 0o005 else folder
