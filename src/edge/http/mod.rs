//! HTTP routers: intake and ops.
