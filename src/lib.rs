//! mimamori (見守り): finds abusive and threatening customer messages in Japanese e-mail and chat, explains why, and
//! brings them to a named supervisor. This page is the architecture.
//!
//! ```text
//! Delivery ─decode→ Message ─judge→ Verdict ─→ Conversation ─policy→ Case {alert intent, next_due} ─→ ack
//!                                                               └ due times ─→ notify → outcome → Case
//! ```

pub mod app;
pub mod case;
pub mod cli;
pub mod config;
pub mod conversation;
pub mod decode;
pub mod diag;
pub mod edge;
pub mod engine;
pub mod eval;
pub mod model;
pub mod policy;
pub mod sheet;
pub mod store;
pub mod worker;
