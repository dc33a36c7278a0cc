//! Who may open what.

use super::*;

#[tokio::test]
async fn the_second_agent_is_refused_until_the_first_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).await.unwrap().store;
    let error = Store::open(dir.path()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    let expected = format!(
        "another agent (pid {}) is using `{}`; two agents must not watch the same services",
        std::process::id(),
        dir.path().join("lock").display()
    );
    assert_eq!(error.to_string(), expected);
    first.close().await;
    Store::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.clone().close().await;
    let error = store.commit(batch()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
}

#[tokio::test]
async fn no_other_user_may_read_what_is_stored() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a").join("sentinel");
    let store = Store::open(&dir).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in ["lock", "sentinel.db", "sentinel.db-wal", "sentinel.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_newer_agents_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).await.unwrap().store.close().await;
    let database = rusqlite::Connection::open(file(dir.path())).unwrap();
    database
        .execute_batch("UPDATE state SET schema = 99; PRAGMA user_version = 99")
        .unwrap();
    drop(database);
    let before = fs::read(file(dir.path())).unwrap();

    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("was written by a newer version of the agent (schema 99, "),
        "{error}"
    );
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(file(dir.path())).unwrap();
    database.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    drop(database);
    let before = fs::read(file(dir.path())).unwrap();
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
}
