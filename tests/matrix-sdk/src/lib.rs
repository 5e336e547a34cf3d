//! Nothing: see `tests/encryption`.
