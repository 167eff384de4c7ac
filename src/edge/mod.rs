//! The outside world: one system per module; edges never mention each other.

pub mod embedded;
pub mod evidence;
pub mod http;
pub mod intake;
pub mod metrics;
pub mod nats;
pub mod notify;
pub mod shelter;
pub mod spool;
pub mod twin;
