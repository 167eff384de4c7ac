//! HTTP: the app router (intake) and the ops router (health, metrics), and the server that carries both.
//!
//! A 202 is given only after the durable commit. Bodies, headers, connections and waiting times are bounded. No message text,
//! address or token is ever logged or echoed.

pub mod ack;
mod answer;
pub mod app;
pub mod desk;
pub mod door;
mod door_page;
mod guess;
pub mod health;
pub mod ops;
mod page;
pub mod request;
pub mod server;
