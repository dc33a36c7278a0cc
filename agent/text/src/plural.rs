//! Numbers of things.

use std::fmt::Display;

/// `1 attempt`, `2 attempts`: for words whose plural is made by an `s`.
pub fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(count(0_u32, "restart"), "0 restarts");
        assert_eq!(count(1_u64, "restart"), "1 restart");
        assert_eq!(count(11_usize, "restart"), "11 restarts");
    }
}
