//! What a fault of the database engine means to a caller of the store.

use crate::store::StoreError;
use rusqlite::{Error, ErrorCode};

/// Says what an engine fault means: whether repeating helps, the disk is full, or stored bytes are not ours.
pub fn explain(error: &Error) -> StoreError {
    match error {
        Error::FromSqlConversionFailure(..) | Error::IntegralValueOutOfRange(..) | Error::InvalidColumnType(..) => {
            StoreError::Damaged(error.to_string())
        }
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full("the disk is full".into()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
            _ => StoreError::Unavailable(error.to_string()),
        },
    }
}
