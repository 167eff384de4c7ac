//! Every metric, its labels and its registry.
