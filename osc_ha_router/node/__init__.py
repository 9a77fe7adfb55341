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

"""The program that runs on a network node.

It reads one JSON request per line, looks at the namespaces, processes and
files of Neutron's L3 HA routers, and answers in JSON lines. It needs nothing
but the standard library of Python 3.6 or newer, imports nothing from the rest
of the project and opens no file of its own, so that it can be sent to a node
and run from memory.
"""
