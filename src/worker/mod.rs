//! The worker: one message at a time through decode, judge, case, ack; and due alerts out.
