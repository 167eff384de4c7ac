//! Configuration: what the user wrote, checked into what the program uses.
//!
//! Three layers, the stronger first: environment (`MIMAMORI_…`), file, built-in default. Every fault of every layer is reported
//! at once, with its place. Nothing downstream validates again. Paths are relative to the current directory of the process.
//! Never holds secrets: settings name files, [`secret`] reads them.

pub mod environment;
pub mod guard;
pub mod layers;
pub mod load;
pub mod read;
pub mod secret;
pub mod settings;
