//! Ctrl-C and its kin as an error like any other, so that everything is undone on the way out.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Result, ensure};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

static HEARD: AtomicBool = AtomicBool::new(false);

/// Takes the signals that end a program from now on. Handled rather than blocked: a mask would be handed down to the
/// programs that are started.
pub(crate) fn listen() -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let _inside = runtime.enter();
        let mut arrivals = signal(kind)?;
        runtime.spawn(async move {
            arrivals.recv().await;
            HEARD.store(true, Ordering::Relaxed);
        });
    }
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(())
}

/// Fails once one came.
pub(crate) fn check() -> Result<()> {
    ensure!(!HEARD.load(Ordering::Relaxed), "interrupted");
    Ok(())
}
