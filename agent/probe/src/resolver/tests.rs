//! Names that hang, and the others.

use std::collections::BTreeSet;
use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::*;

/// Longest wait for what happens at once.
const AMPLE: Duration = Duration::from_secs(60);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A host's resolver that hangs on some names until it is let go.
#[derive(Default)]
struct Host {
    asked: AtomicUsize,
    let_go: Mutex<bool>,
    change: Condvar,
}

impl Host {
    fn resolver(self: &Arc<Self>, threads: usize) -> Resolver {
        let host = Arc::clone(self);
        Resolver::by(threads, Duration::from_millis(10), move |name| {
            host.asked.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("hang") {
                let mut let_go = host.let_go.lock().unwrap();
                while !*let_go {
                    let_go = host.change.wait(let_go).unwrap();
                }
            }
            if name.starts_with("nowhere") {
                return Err(io::Error::other("Name or service not known"));
            }
            Ok(vec![ADDRESS])
        })
    }

    fn let_go(&self) {
        *self.let_go.lock().unwrap() = true;
        self.change.notify_all();
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(AMPLE, future).await.expect("it does not wait")
}

#[tokio::test]
async fn names_that_hang_keep_no_other_from_being_looked_up() {
    let host = Arc::new(Host::default());
    let resolver = host.resolver(5);
    let lookup = |name: String| {
        let resolver = resolver.clone();
        async move { resolver.lookup(name, 80).await.map(|found| found.len()) }
    };
    // Eight times as many as there are threads for names that were never asked.
    let mut hanging = JoinSet::new();
    for number in 0..40 {
        hanging.spawn(lookup(format!("hang{number}.test")));
    }
    // One that is asked for the first time gets its turn as soon as those before it have shown themselves slow, and
    // every later time at once.
    while host.asked.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        assert_eq!(soon(lookup("good.test".to_owned())).await.unwrap(), 1);
    }
    assert_eq!(hanging.len(), 40);
    assert!(hanging.try_join_next().is_none(), "they hang");
    host.let_go();
    let answers = soon(hanging.join_all()).await;
    assert!(answers.iter().all(Result::is_ok));
    // What hung is quick now, and is treated as such.
    assert_eq!(soon(lookup("hang1.test".to_owned())).await.unwrap(), 1);
    assert_eq!(soon(lookup("hang1.test".to_owned())).await.unwrap(), 1);
}

#[tokio::test]
async fn a_name_is_looked_up_once_at_a_time_for_all_who_ask() {
    let host = Arc::new(Host::default());
    let resolver = host.resolver(4);
    let mut asking = JoinSet::new();
    for port in 1..=20 {
        let resolver = resolver.clone();
        asking.spawn(async move { resolver.lookup("hang.test".to_owned(), port).await.unwrap() });
    }
    // Whoever gives up takes nothing from the others.
    let given_up = tokio::time::timeout(Duration::from_millis(1), resolver.lookup("hang.test".to_owned(), 99)).await;
    assert!(given_up.is_err());
    while host.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    host.let_go();
    let found: BTreeSet<_> = soon(asking.join_all()).await.into_iter().flatten().collect();
    let expected: BTreeSet<_> = (1..=20).map(|port| SocketAddr::new(ADDRESS, port)).collect();
    assert_eq!(found, expected);
    assert_eq!(host.asked.load(Ordering::SeqCst), 1);
    soon(resolver.lookup("hang.test".to_owned(), 1)).await.unwrap();
    assert_eq!(host.asked.load(Ordering::SeqCst), 2, "nothing is kept");
}

#[tokio::test]
async fn this_host_and_literal_addresses_are_answered_without_asking() {
    let host = Arc::new(Host::default());
    let resolver = host.resolver(1);
    let both = ["[::1]:80", "127.0.0.1:80"];
    for (name, expected) in [
        ("localhost", &both[..]),
        ("LOCALHOST.", &both),
        ("127.0.0.5", &["127.0.0.5:80"]),
        ("2001:db8::1", &["[2001:db8::1]:80"]),
    ] {
        let found = resolver.lookup(name.to_owned(), 80).await.unwrap();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(host.asked.load(Ordering::SeqCst), 0);
    for name in ["localhost.example", "notlocalhost"] {
        soon(resolver.lookup(name.to_owned(), 80)).await.unwrap();
    }
    assert_eq!(host.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn everyone_who_asks_hears_of_the_failure() {
    let host = Arc::new(Host::default());
    let resolver = host.resolver(1);
    let (one, other) = tokio::join!(
        resolver.lookup("nowhere.test".to_owned(), 80),
        resolver.lookup("nowhere.test".to_owned(), 81)
    );
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.0.to_string(), "Name or service not known");
    }
}
