//! Nothing: see `tests/clients`.
