//! Policy: who is told, how soon, and what they are advised to do.
