//! What a failed TLS handshake means: one table of words for probes, mail and receivers behind HTTPS.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use sentinel_text::one_line;

/// The TLS error in `error` or beneath it.
pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    chain(error).find_map(<dyn Error>::downcast_ref)
}

/// The error itself and everything beneath it. `io::Error::source` skips the very error it wraps, so that is unwrapped here.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// Whether the server presents the certificate of an authority as its own. No setting of `ca_file` makes that acceptable.
pub fn is_authoritys_own(error: &rustls::Error) -> bool {
    // The error of the verifier below rustls, which has no name for this one and hands it on as it is.
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
        if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// What went wrong in a handshake, for an operator.
pub fn words(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    let words = match error {
        Tls::InvalidCertificate(_) if is_authoritys_own(error) => {
            "certificate is that of an authority (CA:TRUE), which a server must not present: issue one with CA:FALSE"
        }
        Tls::InvalidCertificate(certificate) => return certificate_words(certificate),
        Tls::NoCertificatesPresented => "the server presents no certificate",
        Tls::InvalidMessage(_) => "the answer is not TLS",
        Tls::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | Tls::AlertReceived(AlertDescription::ProtocolVersion) => "the server speaks no TLS 1.2 or 1.3",
        Tls::PeerIncompatible(_) => "the server and the agent have no kind of TLS in common",
        Tls::AlertReceived(AlertDescription::CertificateRequired) => "the server wants a certificate of its client",
        Tls::AlertReceived(AlertDescription::UnrecognisedName) => "the server knows no host of that name",
        Tls::AlertReceived(alert) => return format!("TLS refused by the server: {alert:?}"),
        _ => return one_line(error.to_string().as_bytes()),
    };
    words.to_owned()
}

fn certificate_words(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::BadEncoding => "certificate is damaged or in no form that is understood",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "certificate is for another name"
        }
        // A bad signature is that of an impostor with the name of a trusted authority.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "certificate not issued by a trusted authority"
        }
        CertificateError::Revoked => "certificate revoked",
        CertificateError::UnknownRevocationStatus
        | CertificateError::InvalidOcspResponse
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "whether the certificate is revoked cannot be found out"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "certificate is signed in a way that is not accepted, such as SHA-1"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate is not for a server (extendedKeyUsage lacks serverAuth)"
        }
        CertificateError::UnhandledCriticalExtension => "certificate has a critical extension that is not understood",
        CertificateError::ApplicationVerificationFailure => "certificate refused by this host's rules",
        other => {
            return format!(
                "certificate not accepted: {}",
                one_line(format!("{other:?}").as_bytes())
            );
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_error_is_found_however_deep_it_lies() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let deep = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(find(&deep).map(words).as_deref(), Some("certificate expired"));
        assert_eq!(find(&io::Error::other("no TLS")).map(words), None);
    }

    #[test]
    fn no_certificate_error_is_reported_in_the_words_of_a_library() {
        use CertificateError as E;
        for error in [
            E::BadEncoding,
            E::Expired,
            E::NotValidYet,
            E::Revoked,
            E::UnhandledCriticalExtension,
            E::UnknownIssuer,
            E::UnknownRevocationStatus,
            E::ExpiredRevocationList,
            E::BadSignature,
            E::NotValidForName,
            E::InvalidPurpose,
            E::InvalidOcspResponse,
            E::ApplicationVerificationFailure,
        ] {
            let said = words(&rustls::Error::InvalidCertificate(error.clone()));
            assert!(!said.contains(&format!("{error:?}")), "{said}");
        }
    }
}
