//! Settings to a running program: wiring, signals, shutdown.
