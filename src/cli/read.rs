//! `pcapsule read`: not connected yet.

use std::process::ExitCode;

use super::args::ReadArgs;

#[expect(clippy::unused_async, reason = "waits once it is connected")]
pub(super) async fn run(args: ReadArgs) -> anyhow::Result<ExitCode> {
    tracing::debug!(?args, "read");
    anyhow::bail!("read: not connected yet")
}
