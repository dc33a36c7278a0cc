#!/bin/bash
# A request whose sender closes its half of the connection right behind it is begun by a service on hyper, and dropped midway.
#
# Seen with: hyper 1.12.0 (server, HTTP/1, its defaults).
#
# TCP lets a client say that it will send no more and still read the answer; `nc -N` and many small clients do so. hyper's
# option `half_close` is off by default, which reads as if the connection were closed after the answer. In truth, when
# request and half-close have both arrived before hyper looks at the connection, it calls the service and then drops the future
# it got at that one's first wait: what a handler does after its first `await` does not happen, and nothing is answered,
# not even by a handler that answers at once. On a quiet machine hyper looks in between and all is well, so this shows as
# a rare loss. With `half_close(true)` the request is served.
#
# Expected here: with the default one call, nothing finished and no answer, every time; with the option all of it and a 200.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --vcs none --name finding .
cat >>Cargo.toml <<'END'
http-body-util = "=0.1.3"
hyper = { version = "=1.12.0", features = ["http1", "server"] }
hyper-util = { version = "=0.1.20", features = ["tokio"] }
tokio = { version = "=1.48.0", features = ["io-util", "macros", "net", "rt"] }
END
cat >src/main.rs <<'END'
use std::cell::Cell;
use std::convert::Infallible;
use std::net::Shutdown;
use std::rc::Rc;

use http_body_util::Empty;
use hyper::Response;
use hyper::body::Bytes;
use hyper::service::service_fn;

/// How often the service was called and how often it came to its end, and the first line of the answer.
async fn once(half_close: bool) -> (u32, u32, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The client, to its end, before hyper sees the connection at all.
    use std::io::{Read as _, Write as _};
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"POST /do HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut one = [0; 1];
    // Until it has arrived.
    while stream.peek(&mut one).await.unwrap() == 0 {}
    let (calls, ends) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let service = service_fn(|_| {
        calls.set(calls.get() + 1);
        let ends = ends.clone();
        async move {
            tokio::task::yield_now().await;
            ends.set(ends.get() + 1);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    let _ = hyper::server::conn::http1::Builder::new().half_close(half_close).serve_connection(io, service).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    (calls.get(), ends.get(), answer.lines().next().unwrap_or("nothing").to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for half_close in [false, true] {
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..20 {
            *seen.entry(once(half_close).await).or_insert(0) += 1;
        }
        println!("half_close({half_close}): {seen:?}");
    }
}
END
seen=$(cargo run --quiet)
echo "$seen"
diff - <(echo "$seen") <<'END'
half_close(false): {(1, 0, "nothing"): 20}
half_close(true): {(1, 1, "HTTP/1.1 200 OK"): 20}
END
echo 'hyper 1.12.0: a request that a half-close follows at once is begun and not finished'
