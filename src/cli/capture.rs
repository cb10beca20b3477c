//! `pcapsule capture`: not connected yet.

use std::process::ExitCode;

use super::capture_args::CaptureArgs;

#[expect(clippy::unused_async, reason = "waits once it is connected")]
pub(super) async fn run(args: CaptureArgs) -> anyhow::Result<ExitCode> {
    tracing::debug!(filter = args.filter(), ?args, "capture");
    anyhow::bail!("capture: not connected yet")
}
