//! A damaged file.

use super::*;

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), "garbage ".repeat(2000)).unwrap();
    let again = Store::open(dir.path()).await.unwrap();
    let moved = again.quarantined.unwrap();
    assert!(fs::read_to_string(&moved).unwrap().starts_with("garbage"));
    assert!(
        moved
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("sentinel.db.corrupt-")
    );
    again.store.commit(full_batch(1)).await.unwrap();
}

#[tokio::test]
async fn loss_is_known_until_something_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), "garbage ".repeat(2000)).unwrap();
    let first = Store::open(dir.path()).await.unwrap();
    let moved = first.quarantined.clone();
    // As if killed right after.
    first.store.close().await;
    let second = Store::open(dir.path()).await.unwrap();
    assert!(
        moved.is_some() && second.quarantined == moved,
        "{:?}",
        second.quarantined
    );
    second.store.commit(full_batch(1)).await.unwrap();
    second.store.close().await;
    assert_eq!(Store::open(dir.path()).await.unwrap().quarantined, None);
}

#[tokio::test]
async fn only_the_newest_damaged_files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        fs::write(file(dir.path()), "garbage ".repeat(2000)).unwrap();
        Store::open(dir.path()).await.unwrap().store.close().await;
    }
    let kept = fs::read_dir(dir.path()).unwrap().flatten();
    assert_eq!(
        kept.filter(|entry| entry.file_name().to_string_lossy().contains("corrupt"))
            .count(),
        3
    );
}

#[tokio::test]
async fn flipped_bits_never_refill_a_budget() {
    // In memory where that is possible: a thousand stores are opened.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    for n in 1..40 {
        let mut batch = full_batch(n);
        batch
            .saves
            .push((ServiceName::from(format!("service-{n}").as_str()), memory(n)));
        store.commit(batch).await.unwrap();
    }
    store.close().await;
    let sound = fs::read(file(dir.path())).unwrap();
    let before = {
        let Opened {
            store,
            remembered,
            next_incident,
            next_action,
            anchor,
            ..
        } = Store::open(dir.path()).await.unwrap();
        store.close().await;
        (remembered.services, next_incident, next_action, anchor)
    };

    let (mut quarantined, mut unharmed) = (0, 0);
    for seed in 0..1000 {
        let mut random = Random(seed);
        let mut damaged = sound.clone();
        for _ in 0..=random.below(8) {
            // Every fourth flip hits the header and the schema, where it does most.
            let bound = if random.below(4) == 0 { 4096 } else { sound.len() as u64 };
            damaged[usize::try_from(random.below(bound)).unwrap()] ^= 1 << random.below(8);
        }
        fs::write(file(dir.path()), damaged).unwrap();
        let again = Store::open(dir.path())
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        if again.quarantined.is_some() {
            quarantined += 1;
            assert!(
                again.remembered.services.is_empty() && again.anchor.is_none(),
                "seed {seed}"
            );
        } else {
            unharmed += 1;
            let after = (
                again.remembered.services,
                again.next_incident,
                again.next_action,
                again.anchor,
            );
            assert!(after == before, "seed {seed}: what the engine gets changed unnoticed");
        }
        again.store.close().await;
    }
    assert!(
        quarantined > 100 && unharmed > 30,
        "{quarantined} quarantined, {unharmed} unharmed"
    );
}

#[tokio::test]
async fn numbers_and_times_that_changed_unnoticed_are_damage() {
    for change in [
        "next_action = 1",
        "next_incident = 1",
        "last_at = last_at * 2",
        "last_wall = 0",
        "boot_offset = boot_offset + 1",
        "boot_id = 'root'",
        "boot_id = NULL",
        "installation = zeroblob(16)",
        "schema = 0",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap().store;
        store.commit(full_batch(1)).await.unwrap();
        store.close().await;
        let database = rusqlite::Connection::open(file(dir.path())).unwrap();
        database.execute_batch(&format!("UPDATE state SET {change}")).unwrap();
        drop(database);
        let again = Store::open(dir.path()).await.unwrap();
        assert!(
            again.quarantined.is_some() && again.remembered.services.is_empty(),
            "{change}"
        );
    }
}
