//! A peer that never comes to an end is not read to its end: what is allowed is some KiB, and the rest stays with the peer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};

use sentinel_config::{AlertmanagerSettings, SlackSettings, SlackStyle};

use super::*;

/// What the peer would say, in bytes: more than all buffers of the kernel hold.
const ALL: usize = 64 << 20;

/// A peer that begins its answer with `beginning`, and goes on for as long as it is listened to. Says how much it could
/// say.
fn endless(beginning: &'static str) -> (SocketAddr, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, said) = mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 16 * 1024];
            let _ = stream.read(&mut request);
            let mut written = 0;
            if stream.write_all(beginning.as_bytes()).is_ok() {
                while written < ALL && stream.write_all(&[b'x'; 8192]).is_ok() {
                    written += 8192;
                }
            }
            let _ = sender.send(written);
        }
    });
    (address, said)
}

fn kinds(address: SocketAddr) -> [(&'static str, ReceiverKind); 3] {
    let url = format!("http://{address}/");
    let slack = SlackSettings::Webhook {
        url: Secret::from(url.as_str()),
        style: SlackStyle::Auto,
    };
    let manager = AlertmanagerSettings {
        urls: vec![url.parse().unwrap()],
        resend: Duration::from_secs(60),
        headers: BTreeMap::new(),
        login: None,
        ca_file: None,
    };
    [
        ("webhook", webhook(&url, &[])),
        ("slack", ReceiverKind::Slack(slack)),
        ("alertmanager", ReceiverKind::Alertmanager(manager)),
    ]
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    for (beginning, says) in [
        (
            "HTTP/1.1 500 Internal Server Error\r\n\r\nno: ",
            Some("answered 500: no: xxx"),
        ),
        ("HTTP/1.1 200 OK\r\nx-long: ", None),
    ] {
        let (address, said) = endless(beginning);
        let said = Arc::new(Mutex::new(said));
        for (name, kind) in kinds(address) {
            let receiver = receiver(kind);
            let delivery = delivery(&message("fired"), None);
            let sending = receiver.deliver(&delivery, sentinel_base::clock::wall());
            let error = sending.await.expect_err(name).to_string();
            assert!(says.is_none_or(|says| error.contains(says)), "{name}: {error}");
            assert!(error.len() < 2048, "{name}: {} bytes are shown", error.len());
            drop(receiver);
            // The connection ends in the runtime's own time.
            let said = tokio::task::spawn_blocking({
                let said = Arc::clone(&said);
                move || said.lock().unwrap().recv_timeout(BOUND).unwrap()
            })
            .await
            .unwrap();
            assert!(said < ALL / 2, "{name}: {said} bytes of {beginning:?}");
        }
    }
}
