//! Configuration: what the user wrote, checked into what the program uses.
