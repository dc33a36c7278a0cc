//! Signatures as in Standard Webhooks 1.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use sentinel_config::{SIGNING_BASE64, Secret};
use sha2::Sha256;

use super::settings_error::SettingsError;

/// The key of a receiver.
pub(super) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// From a secret: `whsec_` and base64, or raw text. The error says what is wrong, not what it is.
    pub(super) fn new(secret: &Secret) -> Result<Self, SettingsError> {
        let secret = secret.expose_secret().trim();
        let key = match secret.strip_prefix("whsec_") {
            Some(encoded) => SIGNING_BASE64
                .decode(encoded)
                .map_err(|_| SettingsError::SecretNotBase64)?,
            None => secret.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SettingsError::EmptySecret);
        }
        Ok(Self(Zeroizing::new(key)))
    }

    /// The value of `webhook-signature`: over the message's key, the time of this attempt in Unix seconds, and the body.
    pub(super) fn sign(&self, event: &str, seconds: i64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key length");
        mac.update(format!("{event}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Result<Key, SettingsError> {
        Key::new(&Secret::from(secret))
    }

    #[test]
    fn the_signature_of_the_specifications_example() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            key.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn raw_text_is_a_key_too() {
        let (raw, encoded) = (key("a").unwrap(), key("whsec_YQ==").unwrap());
        assert_eq!(raw.sign("id", 1, b"body"), encoded.sign("id", 1, b"body"));
        assert_eq!(
            raw.sign("id", 1, b"body"),
            key("whsec_YQ\n").unwrap().sign("id", 1, b"body"),
            "padding, newline"
        );
        assert_ne!(raw.sign("id", 1, b"body"), raw.sign("id", 2, b"body"));
    }

    #[test]
    fn a_bad_secret_is_not_repeated() {
        for secret in ["whsec_?secret?", "whsec_", "", "  \n"] {
            let error = key(secret).err().unwrap().to_string();
            assert!(!error.contains("?secret?"), "{error}");
        }
    }
}
