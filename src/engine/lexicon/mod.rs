//! Lexicons: TOML sources to one compiled, immutable profile.
