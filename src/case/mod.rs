//! Cases: the record of one flagged conversation and its pure transitions.
