//! The embedded backend: SQLite on local disk.
