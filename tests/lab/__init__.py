"""A real cloud of three network nodes on this machine; see README.rst."""

from tests.lab.errors import LabDown
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.nodes import Node
from tests.lab.replicas import Replica

__all__ = ["Lab", "LabDown", "LabError", "Node", "Replica"]
