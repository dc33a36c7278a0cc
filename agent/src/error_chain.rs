//! An error as one line: what was being done, and why that failed. Printed once, at the edge; errors themselves never
//! repeat their source.

use std::error::Error;

/// The error and its causes. Libraries often say their source in their own words already: that is not said twice.
pub(crate) fn chain(error: &dyn Error) -> String {
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
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Layer {
        #[error("cannot write")]
        Silent(#[source] io::Error),
        #[error("I/O error: {0}")]
        Repeats(#[source] io::Error),
        #[error("cannot start")]
        Outer(#[source] Box<Layer>),
    }

    #[test]
    fn causes_are_said_once() {
        let full = || io::Error::other("disk full");
        assert_eq!(chain(&full()), "disk full");
        assert_eq!(chain(&Layer::Silent(full())), "cannot write: disk full");
        assert_eq!(chain(&Layer::Repeats(full())), "I/O error: disk full");
        let outer = Layer::Outer(Box::new(Layer::Silent(full())));
        assert_eq!(chain(&outer), "cannot start: cannot write: disk full");
        assert_eq!(innermost(&outer), "disk full");
    }
}
