//! Bytes to [`crate::model::message::Message`]: sans-I/O, bounded, never fails on content alone.
