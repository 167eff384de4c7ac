//! The watched folder.
