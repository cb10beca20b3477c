//! Remakes the captures in `captures/`: real traffic of real containers, captured by pcapsule. Not a test, and run by
//! `scripts/record-captures` only.

mod containers;
mod namespaces;
mod studio;

use studio::Studio;

use crate::lab::Engine;

#[test]
#[ignore = "remakes captures/; run scripts/record-captures"]
fn record() {
    let studio = Studio::open();
    let engine = Engine::shared().expect("an engine to record with");
    containers::record(&engine, &studio);
    namespaces::record(&studio);
    studio.close();
}
