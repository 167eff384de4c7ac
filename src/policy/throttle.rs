//! How many alerts one person is sent before the rest waits and comes as one list: a storm must not bury the person who is
//! to end it. What is urgent is never counted and never waits.

use std::time::Duration;

/// Alerts to one person over one channel in one [`WINDOW_DEFAULT`]: as many as can be opened and taken one by one.
pub const ALERTS_MAX_DEFAULT: u32 = 5;

/// The time over which they are counted, and the longest that one more waits.
pub const WINDOW_DEFAULT: Duration = Duration::from_mins(10);

/// `[throttle]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Alerts to one person over one channel within the window; 0: without limit.
    pub alerts_max: u32,
    /// The time over which they are counted.
    pub window: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { alerts_max: ALERTS_MAX_DEFAULT, window: WINDOW_DEFAULT }
    }
}
