//! All integration tests in one binary: one link instead of many.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::missing_docs_in_private_items
)]
#![allow(clippy::similar_names, missing_docs)] // a test fails loudly by itself, and its tables may be long

mod alert;
mod answers;
mod audit;
mod cli;
mod config;
mod crash;
mod decode;
mod desk;
mod digests;
mod door;
mod e2e;
mod engine;
mod events;
mod exposure;
mod faults;
mod figures;
mod forecast;
mod gate;
mod guard;
mod guidance;
mod hostile;
mod hours;
mod house;
mod http;
mod inflect;
mod intake;
mod ladder;
mod ledger;
mod lexicons;
mod mistake;
mod nats;
mod notifier;
mod readme;
mod roster;
mod shelter;
mod shipped;
mod smtp;
mod smtp_faults;
mod steps;
mod store;
mod storms;
mod stream;
mod support;
mod text;
mod throttle;
mod webhook;
mod wording;
