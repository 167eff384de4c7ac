//! The evidence chain: originals of alert-due and dead messages, append-only and hash-chained.
