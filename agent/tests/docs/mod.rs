//! The documentation: what stands in it is true, leads somewhere, and reads as it should.

mod commands;
mod identifiers;
mod keys;
mod layers;
mod layout;
mod links;
#[path = "../../docs/examples/manual/listed.rs"]
mod listed;
mod pages;
mod paths;
mod sources;
mod texts;
#[path = "../support/words.rs"]
mod words;
