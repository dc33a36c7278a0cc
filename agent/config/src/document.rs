//! Other documents than the configuration, checked by the same rules against a table of keys of their own.

use serde::de::DeserializeOwned;

use super::files::Fragment;
use super::findings::Findings;
use super::layer::Layer;
use super::merge;
use super::problem::{ConfigErrors, Place};
use super::schema::Section;

/// Reads `text`, called `name` in messages, into `T` by the keys of `root`; `check` then compares what it says.
///
/// # Errors
///
/// Everything that is wrong with it, each with its line.
pub fn document<T: DeserializeOwned, U>(
    name: &str,
    text: &str,
    root: &'static Section,
    check: impl FnOnce(T, &mut Findings) -> Option<U>,
) -> Result<U, ConfigErrors> {
    let place = Place::source(0, name);
    let mut findings = Findings::new(place.clone());
    let fragment = Fragment {
        path: name.into(),
        place,
        text: text.to_owned(),
    };
    let layers = Layer::from_file(root, &fragment, &mut findings).into_iter().collect();
    let read = merge(layers, &mut findings).and_then(|inputs| check(inputs, &mut findings));
    findings.finish()?;
    read.ok_or_else(ConfigErrors::unexplained)
}
