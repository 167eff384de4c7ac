//! The judge: message to verdict, pure and total.
