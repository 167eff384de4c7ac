//! Folding: text to matchable characters, each mapped back to the original.
