//! The words every floor shares: ids, levels, categories, messages, verdicts.
//!
//! Plain data without behaviour that needs I/O, a clock or randomness. Nothing here knows how a message was
//! received, judged or announced, so every floor may depend on this one and it depends on none.

pub mod digest;
pub mod envelope;
pub mod event;
pub mod guidance;
pub mod ids;
pub mod markup;
pub mod message;
pub mod severity;
pub mod verdict;
