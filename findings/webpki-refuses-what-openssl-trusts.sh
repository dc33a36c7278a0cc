#!/bin/bash
# A server's own self-signed certificate, given as the one to trust, is refused by rustls when it is marked as a CA's.
#
# Seen with: rustls 0.23.46 (rustls-webpki 0.103.17), and pyOpenSSL 25.3.0 with cryptography 46.0.3 (OpenSSL 3.5.4).
#
# `openssl req -x509` marks every self-signed certificate as a CA's, and people give that file to a client as its CA: curl and
# everything else on OpenSSL then trust the server. webpki holds that a CA's certificate is never a server's, whether it is
# trusted or not. So what was checked with curl fails in a program on rustls, with `CaUsedAsEndEntity`. The same certificate
# made with `-addext basicConstraints=critical,CA:FALSE` works in both.
#
# Expected here: OpenSSL accepts both certificates for `localhost`; rustls accepts the second only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --vcs none --name finding .
cat >>Cargo.toml <<'END'
rcgen = "=0.14.10"
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std"] }
rustls-webpki = "=0.103.17"
END
cat >src/main.rs <<'END'
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};

fn main() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for (name, is_ca) in [
        ("ca", IsCa::Ca(BasicConstraints::Unconstrained)),
        ("no-ca", IsCa::ExplicitNoCa),
    ] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        std::fs::write(format!("{name}.pem"), certificate.pem()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let server = ServerName::try_from("localhost").unwrap();
        match verifier.verify_server_cert(certificate.der(), &[], &server, &[], UnixTime::now()) {
            Ok(_) => println!("rustls {name}: trusted"),
            Err(error) => println!("rustls {name}: {error:?}"),
        }
    }
}
END
cargo run --quiet >rustls.txt
python3 -m venv venv
venv/bin/pip install --quiet pyOpenSSL==25.3.0 cryptography==46.0.3
venv/bin/python - >openssl.txt <<'END'
from OpenSSL import crypto

for name in ("ca", "no-ca"):
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, open(f"{name}.pem", "rb").read())
    store = crypto.X509Store()
    store.add_cert(certificate)
    try:
        crypto.X509StoreContext(store, certificate).verify_certificate()
        print(f"OpenSSL {name}: trusted")
    except crypto.X509StoreContextError as error:
        print(f"OpenSSL {name}: {error}")
END
cat openssl.txt rustls.txt
diff - <(cat openssl.txt rustls.txt) <<'END'
OpenSSL ca: trusted
OpenSSL no-ca: trusted
rustls ca: InvalidCertificate(Other(OtherError(CaUsedAsEndEntity)))
rustls no-ca: trusted
END
echo 'rustls 0.23.46: a CA is no server, though it is the one to trust'
