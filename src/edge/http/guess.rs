//! Wrong links are counted, and too many of them make everybody wait: nobody may guess.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens within [`WRONG_WINDOW`] before everybody has to wait: far above what people mistype, far below guessing.
const WRONG_MAX: u32 = 60;

/// The time over which wrong tokens are counted.
const WRONG_WINDOW: Duration = Duration::from_mins(1);

/// Wrong tokens of the current window.
#[derive(Debug, Clone)]
pub(in crate::edge::http) struct Guesses(Arc<Mutex<(Instant, u32)>>);

impl Guesses {
    /// None yet.
    pub(in crate::edge::http) fn new() -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), 0))))
    }

    /// Whether tokens may be tried now.
    pub(in crate::edge::http) fn may_try(&self) -> bool {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.0.elapsed() > WRONG_WINDOW {
            *wrong = (Instant::now(), 0);
        }
        wrong.1 < WRONG_MAX
    }

    /// One was wrong.
    pub(in crate::edge::http) fn count(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }
}
