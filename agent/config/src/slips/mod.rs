//! What those write who come from other tools or from other formats, and the line that is meant here.
//!
//! Nothing of it is accepted: a key that means nearly the same elsewhere is refused all the same, and the answer is the
//! line to write. No value that may be a secret is repeated.

mod formats;
mod keys;
mod values;

pub(super) use formats::{other_format, unquoted};
pub(super) use keys::instead_of;
pub(super) use values::instead_of_value;
