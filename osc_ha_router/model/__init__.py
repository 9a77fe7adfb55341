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

"""The nouns everything else speaks: frozen dataclasses without behaviour.

``claim`` is what Neutron says, ``view`` is what the nodes show, ``report``
is what follows from the two. In all three, ``None`` means "not looked at";
an empty tuple means "looked at, nothing there".
"""
