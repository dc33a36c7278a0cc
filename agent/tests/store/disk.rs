//! A disk that does not do what it should.

use super::*;

/// A file system of 1 MiB, gone when dropped.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// `None` when this process may not mount; in CI that is a failure.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must run this as root, to mount a tiny disk"
        );
        eprintln!("NOT TESTED: a full and a read-only disk; mounting needs root");
        None
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.0.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_space_again() {
    let Some(disk) = TinyDisk::mount() else { return };
    let dir = disk.0.path();
    let store = Store::open(dir).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();

    let ballast = dir.join("ballast");
    let _ = fs::write(&ballast, vec![0; 1024 * 1024]);
    let mut recorded = 1;
    let error = loop {
        match store.commit(full_batch(recorded + 1)).await {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 10_000, "the disk never became full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(
        store.commit(full_batch(recorded + 1)).await.unwrap_err().kind(),
        StoreErrorKind::Full,
        "still"
    );

    fs::remove_file(ballast).unwrap();
    store.commit(full_batch(recorded + 1)).await.unwrap();
    store.close().await;
    let again = Store::open(dir).await.unwrap();
    assert_eq!(again.remembered.services["shop"], memory(recorded + 1));
    assert_eq!(again.next_action, ActionId(recorded + 2), "nothing lost, nothing half");
    again.store.close().await;
}

#[tokio::test]
async fn a_read_only_disk_is_an_error_when_opening() {
    let Some(disk) = TinyDisk::mount() else { return };
    let store = Store::open(disk.0.path()).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();
    store.close().await;
    disk.remount("ro");
    let error = Store::open(disk.0.path()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error:?}");
    disk.remount("rw");
    let again = Store::open(disk.0.path()).await.unwrap();
    assert_eq!(
        (again.quarantined, again.remembered.services.len()),
        (None, 1),
        "it was not taken for damage"
    );
    again.store.close().await;
}

#[tokio::test]
async fn a_foreign_lock_on_the_database_is_an_error_that_passes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let operator = rusqlite::Connection::open(file(dir.path())).unwrap();
    operator.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        store.commit(full_batch(1)).await.unwrap_err().kind(),
        StoreErrorKind::Busy
    );
    operator.execute_batch("ROLLBACK").unwrap();
    store.commit(full_batch(1)).await.unwrap();
}
