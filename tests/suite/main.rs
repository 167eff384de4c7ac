//! All integration tests in one binary: one link instead of many.

mod alert;
mod cli;
mod config;
mod crash;
mod decode;
mod e2e;
mod engine;
mod house;
mod http;
mod inflect;
mod intake;
mod lexicons;
mod readme;
mod smtp;
mod store;
mod text;
