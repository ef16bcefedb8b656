//! No code: the tests are in `tests/`, here and one folder up.
