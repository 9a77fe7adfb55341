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

"""What the fuzzers begin with, and every bug that they have found."""

import testtools

from tests.fuzz import targets


class CorpusTest(testtools.TestCase):
    """Without the fuzzer: only what is kept is fed in."""

    def test_corpus(self):
        for name in targets.TARGETS:
            check = targets.load(name)
            for path in targets.corpus(name):
                with self.subTest(target=name, input=path.name):
                    check(path.read_bytes())

    def test_every_target_has_a_corpus(self):
        for name in targets.TARGETS:
            self.assertNotEqual([], targets.corpus(name), name)

    def test_no_corpus_is_left_over(self):
        folders = {path.name for path in targets.CORPUS.iterdir()}
        self.assertEqual(set(targets.TARGETS), folders)
