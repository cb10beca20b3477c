//! Reading a file to text: pcapsule, tcpdump and tshark print the same million packets into nothing.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::{
    core::Core,
    frame::Shape,
    generator::Load,
    interrupt,
    lab::Lab,
    outcome::{Bar, Figure, Outcome, Series},
    plan::Plan,
    progress,
    tournament::play,
};

use super::Stage;

const NAME: &str = "read";
const PER_SECOND: u32 = 200_000;

/// Who reads, and how.
struct Reader {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
}

pub(super) fn run(stage: &mut Stage<'_>) -> Result<Outcome> {
    let time = Duration::from_millis(if stage.plan.is_quick() { 500 } else { 5000 });
    let load = Load::lasting(Shape::Datagram(512), PER_SECOND, time);
    let file = stage.bench.folder.join("to-read");
    let contender = &stage.plan.pcapsules()[0];
    let sample = stage.bench.measure_and_keep(contender, &Lab::build(1)?, &load, &file)?;
    ensure!(sample.is_complete(), "the file to be read lacks packets: the machine is too busy");
    let readers = [
        Reader { name: "pcapsule read -n", program: Plan::program(), arguments: &["read", "-n"] },
        Reader { name: "tcpdump -n -r", program: "tcpdump".into(), arguments: &["-n", "-r"] },
        Reader { name: "tshark -n -r", program: "tshark".into(), arguments: &["-n", "-r"] },
    ];
    let speeds = play(&readers, stage.plan.rounds(), stage.dice, |reader| {
        let took = run_to_end(&reader.program, reader.arguments, &file, stage.bench.program_core)?;
        #[expect(clippy::cast_precision_loss, reason = "a million")]
        let speed = load.count as f64 / took.as_secs_f64();
        progress::tell(NAME, &format!("{}: {speed:.0} packets a second", reader.name));
        Ok(speed)
    })?;
    fs::remove_file(&file)?;
    let figures = readers.iter().zip(speeds).map(|(reader, values)| Figure {
        contender: reader.name.to_owned(),
        values: Series(values),
        remark: "by the wall clock".to_owned(),
    });
    let mut outcome = Outcome {
        name: NAME,
        load: format!("{} packets of 512 B from a pcapng file in the page cache to /dev/null", load.count),
        unit: "packets a second",
        figures: figures.collect(),
        verdicts: Vec::new(),
        doubts: Vec::new(),
        samples: Vec::new(),
    };
    outcome.compare("pcapsule read -n", "tcpdump -n -r", Bar::AtLeast(3.0));
    outcome.compare("pcapsule read -n", "tshark -n -r", Bar::AtLeast(30.0));
    Ok(outcome)
}

fn run_to_end(program: &Path, arguments: &[&str], file: &Path, core: Core) -> Result<Duration> {
    let mut command = Command::new(program);
    command.args(arguments).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let name = program.file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned();
    let start = Instant::now();
    let spawn = || {
        core.pin()?;
        command.spawn().with_context(|| format!("starting {name}"))
    };
    let spawned = thread::scope(|scope| scope.spawn(spawn).join());
    let mut child = spawned.map_err(|_| anyhow!("no thread to start {name} from"))??;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{name} ended with {status}");
            return Ok(start.elapsed());
        }
        if let Err(interrupted) = interrupt::check() {
            child.kill()?;
            child.wait()?;
            bail!(interrupted);
        }
        thread::sleep(Duration::from_millis(2));
    }
}
