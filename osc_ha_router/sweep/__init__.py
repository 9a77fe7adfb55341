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
"""One question from beginning to end, router by router.

``run`` has its course: ``said`` is what Neutron says to it, or ``served`` a
service in its place; ``where`` which hosts are asked; ``second`` the second
look. ``means`` are what it works with, ``patience`` how long it waits, and
``substitutes`` what stands for what could not be had.
"""
