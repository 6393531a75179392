"""Tests of third_party.py."""

import unittest

import third_party


class Licences(unittest.TestCase):
    def test_one_of_several_is_enough_and_all_that_are_joined_must_do(self):
        for text in "MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0", \
                "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", "BSD-3-Clause AND BSD-2-Clause":
            self.assertTrue(third_party.permissive(text), text)
        for text in "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-2.0", "none stated", "(GPL-2.0) OR":
            self.assertFalse(third_party.permissive(text), text)

    def test_the_file_is_up_to_date(self):
        third_party.main(["--check"])

    def test_the_list_has_what_the_program_links_and_no_more(self):
        names = [name for name, _, _ in third_party.crates()]
        for name in "tch", "clap", "tensorboard-rs", "nalgebra":
            self.assertIn(name, names)
        for name in "proptest", "criterion", "metadrift-envs":
            self.assertNotIn(name, names)

    def test_the_list_of_the_wheel_has_what_its_module_links(self):
        names = [name for name, _, _ in third_party.crates("metadrift-python", "")]
        for name in "pyo3", "clap":
            self.assertIn(name, names)
        for name in "tch", "torch-sys", "criterion":
            self.assertNotIn(name, names)


if __name__ == "__main__":
    unittest.main()
