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

"""The node agent: what a node shows, over HTTPS and with Keystone tokens.

The program starts as root, starts its one privileged child (``keeper``),
gives its rights away and serves. Each agent can be the one address that
clients know: it asks the agents of the other nodes itself.
"""
