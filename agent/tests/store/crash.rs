//! SIGKILL at any moment, and what a commit costs.

use super::*;

/// Commits numbered batches and says so after each, until it is killed.
#[tokio::test]
#[ignore = "the child process of `sigkill_at_any_time_loses_nothing_that_was_acknowledged`"]
async fn child_that_commits() {
    let dir = std::env::var_os("SENTINEL_TEST_DIR").expect("started by its parent");
    let Opened {
        store,
        next_action: ActionId(mut n),
        ..
    } = Store::open(Path::new(&dir)).await.unwrap();
    loop {
        store.commit(full_batch(n)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nrecorded {n}").and_then(|()| out.flush()).unwrap();
        n += 1;
    }
}

#[tokio::test]
async fn sigkill_at_any_time_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(42);
    let mut acknowledged = 0;
    for round in 0..40 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "store::crash::child_that_commits",
            ])
            .env("SENTINEL_TEST_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut recorded = lines
            .by_ref()
            .filter_map(|line| line.strip_prefix("recorded ")?.parse::<u64>().ok());
        // Some rounds end while the store is being opened, the others in the middle of some commit.
        for _ in 0..random.below(12) {
            acknowledged = recorded.next().expect("the child commits until it is killed");
        }
        let moment = Instant::now() + Duration::from_micros(random.below(6000));
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        acknowledged = recorded.last().unwrap_or(acknowledged);
        child.wait().unwrap();

        let again = Store::open(dir.path()).await.unwrap();
        assert_eq!(again.quarantined, None, "round {round}");
        let last = again.next_action.0 - 1;
        assert!(
            last == acknowledged || last == acknowledged + 1,
            "round {round}: {last}, told {acknowledged}"
        );
        assert_eq!(
            again
                .remembered
                .services
                .get("shop")
                .map_or(0, |memory| memory.recoveries),
            last,
            "round {round}"
        );
        again.store.close().await;
        let database = rusqlite::Connection::open(file(dir.path())).unwrap();
        for table in ["incidents", "intents", "outbox"] {
            let rows: i64 = database
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                u64::try_from(rows).unwrap(),
                last,
                "round {round}: every batch is whole in {table}"
            );
        }
        acknowledged = last;
    }
    assert!(acknowledged > 100, "only {acknowledged} commits were tried");
}

/// `cargo test -p sentinel --test agent commit_latency -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn commit_latency() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let mut times = Vec::new();
    for n in 1..=100 {
        let begin = Instant::now();
        store.commit(full_batch(n)).await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    println!(
        "commit: median {:?}, 95th {:?}, longest {:?}",
        times[50], times[95], times[99]
    );
}
