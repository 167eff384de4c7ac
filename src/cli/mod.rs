//! The command line: verbs, exit codes, output formats.
