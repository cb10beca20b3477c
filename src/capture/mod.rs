//! Frames from many taps to one sink: where to listen, the loop, limits, rotation, and containers that come and go.
//!
//! A plain thread and blocking calls; nothing on the way of a frame allocates, locks or copies but the sink.
//! Knows containers as the model has them; who they are is discovery's business, which `cli` joins with this room.

mod destination;
mod event;
mod follow;
mod key_log;
mod output;
mod plan;
mod receive;
mod rotation;
mod savefile_sink;
mod session;
mod sink;
mod tap;
mod write_behind;

pub use destination::{Destination, DestinationError, Overwrite};
pub use event::{Event, Priority};
pub use follow::{Changes, changes};
pub use key_log::KeyLog;
pub use output::Readers;
pub use plan::{Ground, NoCgroup, Note, Places, Plan, Wanted, plan};
pub use receive::{ReceiveError, Reception};
pub use rotation::{InvalidRotation, Rotation, RotationOptions};
pub use savefile_sink::{Buffering, SavefileOptions, SavefileSink};
pub use session::{Command, Controls, Limits, Outcome, Progress, Session, StopReason, TapOutcome};
pub use sink::{Settled, Sink, SinkError, TapTotals};
pub use tap::{EngineChoice, OpenError, OpenTap, Place, Spot, TapKey, TapOptions, TapSpec};
