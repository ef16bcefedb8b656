//! Empty: the tests are in `tests/`, in this folder and in the one above.
