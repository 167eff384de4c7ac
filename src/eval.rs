//! Scoring against labelled sets.
