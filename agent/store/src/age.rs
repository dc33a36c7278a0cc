//! How long messages have been waiting for somebody to take them.

use rusqlite::OptionalExtension as _;
use sentinel_engine::Time;

use super::error::StoreError;
use super::thread::Store;
use super::value::to_time;

impl Store {
    /// When the oldest message was written that was tried and that no operator took; `None` when there is none. What
    /// waits for its time, as in a group, is not meant.
    pub async fn oldest_untaken(&self) -> Result<Option<Time>, StoreError> {
        self.call(|database| {
            database
                .connection
                .prepare_cached(
                    "SELECT min(created_at) FROM outbox WHERE state IN ('pending', 'inflight') AND attempts > 0",
                )
                .and_then(|mut statement| statement.query_row([], |row| row.get::<_, Option<i64>>(0)).optional())
                .map(|found| found.flatten().map(to_time))
                .map_err(StoreError::doing("look for messages that wait"))
        })
        .await
    }
}
