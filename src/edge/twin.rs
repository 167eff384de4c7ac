//! An adversarial in-memory backend for tests: conflicts, stale scans, duplicates, lost replies.
