//! Conversation memory: what earlier messages of the same conversation tell about a new one.
