//! An error as one line: what was being done, and why that failed. Printed once, at the edge; errors themselves never
//! repeat their source.

use std::error::Error;

/// The error and its causes. Libraries often say their source in their own words already: that is not said twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// The innermost cause, where the layers around it say nothing to operators.
pub fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    /// What is said, and of what it comes.
    #[derive(Debug)]
    struct Layer(&'static str, Box<dyn Error>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.1.as_ref())
        }
    }

    #[test]
    fn causes_are_said_once() {
        let full = || Box::new(io::Error::other("disk full"));
        assert_eq!(chain(&full()), "disk full");
        assert_eq!(chain(&Layer("cannot write", full())), "cannot write: disk full");
        let repeats = Layer("I/O error: disk full", full());
        assert_eq!(chain(&repeats), "I/O error: disk full");
        let outer = Layer("cannot start", Box::new(Layer("cannot write", full())));
        assert_eq!(chain(&outer), "cannot start: cannot write: disk full");
        assert_eq!(innermost(&outer), "disk full");
    }
}
