//! What the figures were measured on, as text, into any writer.

use std::io::{self, Write};

use crate::machine::Machine;

/// The machine and the programs.
pub(crate) fn machine(out: &mut impl Write, machine: &Machine) -> io::Result<()> {
    writeln!(out, "machine   {}, {} cores, {} GiB", machine.cpu, machine.cores, machine.memory_gib)?;
    writeln!(out, "kernel    {}; load average {}", machine.kernel, machine.load_average)?;
    writeln!(out, "veth      MTU {}; {}", machine.mtu, machine.offloads)?;
    writeln!(out, "files     on {}, in the page cache, deleted once counted", machine.files_on)?;
    for version in &machine.versions {
        writeln!(out, "program   {version}")?;
    }
    Ok(())
}
